"""The ``efficientpose`` command: parse and call.

Exit status: 0 if everything worked, 1 if some input could not be used, 2 if nothing could be done.
"""

import argparse
import contextlib
import io
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import efficientpose
from efficientpose.commands import benchmark, export, measure, models, predict
from efficientpose.commands.console import INTERRUPTED, NOTHING_DONE, UsageError, find_remedy, quiet_imports
from efficientpose.core.variants import VARIANTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    with _interruptible() as interrupts:
        try:
            return _run(arguments)
        except KeyboardInterrupt:
            pass
        except ImportError:
            if not interrupts:  # NumPy makes an ImportError of an interrupt while it is imported
                raise
    print("efficientpose: interrupted; what was done so far is written", file=sys.stderr)
    return INTERRUPTED


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Let SIGTERM do what Ctrl-C does, so that what was done is written; yield the signals that came."""
    came: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # in the background of a script it is ignored
            before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _build_parser().parse_args(arguments)
        warnings.filterwarnings("ignore", module=r"mmdet|mmpose|mmcv|mmengine|mmpretrain")
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except ModuleNotFoundError as error:
        print(f"efficientpose: this command needs {error.name}: {find_remedy(error.name or '')}", file=sys.stderr)
    except (UsageError, ValueError, OSError) as error:
        print(f"efficientpose: {error}", file=sys.stderr)
    return NOTHING_DONE


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="efficientpose", description="Single-person pose estimation on MMPose.")
    parser.add_argument("--version", action="version", version=f"efficientpose {efficientpose.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (predict, measure, export, benchmark, models):
        command.add_parser(commands)

    convert = commands.add_parser("convert", help="convert released weights", description=_convert.__doc__)
    convert.add_argument("source", type=Path, metavar="FILE", help="released .h5 or .tflite file")
    convert.add_argument("-o", "--out", type=Path, required=True, metavar="CHECKPOINT", help="the .pth file to write")
    convert.add_argument("--model", choices=list(VARIANTS), type=str.lower, help="variant (default: as recognised)")
    convert.set_defaults(run=_convert)

    download = commands.add_parser("download", help="fetch released weights", description=_download.__doc__)
    download.add_argument("models", nargs="+", choices=list(VARIANTS), type=str.lower, metavar="MODEL", help="variants")
    download.set_defaults(run=_download)

    demo = commands.add_parser("demo", help="poses in images that come along", description=_demo.__doc__)
    demo.add_argument("--out", type=Path, default=Path("demo_output"), metavar="DIR", help="where images go")
    demo.set_defaults(run=_demo)
    return parser


def _convert(options: argparse.Namespace) -> int:
    """Convert released weights (.h5 or .tflite) to a checkpoint, strict about every tensor."""
    with quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.weights.convert import convert_file

    name = convert_file(options.source, options.out, variant=options.model)
    print(f"EfficientPose {name.upper()}: {options.out}")
    return 0


def _download(options: argparse.Namespace) -> int:
    """Fetch released weights from the authors' repository, check and convert them, and keep them in the cache."""
    with quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.weights.find import download

    for name in options.models:
        print(f"EfficientPose {name.upper()}: {download(name)}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    """Find poses in images that a dependency ships, with RT and I."""
    with quiet_imports():
        from efficientpose.commands.demo import run_demo

    run_demo(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
