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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import efficientpose
from efficientpose.variants import VARIANTS

if TYPE_CHECKING:
    from efficientpose.inference.job import Boxes

SOME_FAILED = 1
NOTHING_DONE = 2


class _UsageError(Exception):
    """The call cannot be carried out; the message is for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _build_parser().parse_args(arguments)
    warnings.filterwarnings("ignore", module=r"mmdet|mmpose|mmcv|mmengine|mmpretrain")
    run: Callable[[argparse.Namespace], int] = options.run
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was done is written
    try:
        return run(options)
    except ModuleNotFoundError as error:
        needed = f'this command needs {error.name}: pip install "efficientpose[mmpose]", or make env in a checkout'
        print(f"efficientpose: {needed}", file=sys.stderr)
        return NOTHING_DONE
    except (_UsageError, ValueError, OSError) as error:
        print(f"efficientpose: {error}", file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        print("efficientpose: interrupted; what was done so far is written", file=sys.stderr)
        return NOTHING_DONE


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="efficientpose", description="Single-person pose estimation on MMPose.")
    parser.add_argument("--version", action="version", version=f"efficientpose {efficientpose.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_predict, _add_models, _add_convert, _add_download, _add_demo):
        add(commands)
    return parser


def _add_predict(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("predict", help="find the poses in pictures", description=_predict.__doc__)
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="pictures, and folders of pictures")
    parser.add_argument("--model", default="rt", choices=list(VARIANTS), type=str.lower, help="variant (default: rt)")
    parser.add_argument("--weights", type=Path, help="checkpoint (.pth) or released file (.h5, .tflite)")
    parser.add_argument("--config", type=Path, help="config of a network of your own; needs --weights")
    parser.add_argument(
        "--boxes",
        metavar="BOXES",
        help='people: "x1,y1,x2,y2" in pixels, several joined by ";", for every picture (--boxes=... before a minus); '
        'or a JSON file {"photo.jpg": [[x1, y1, x2, y2], ...]}. Without it each whole picture is one person',
    )
    parser.add_argument("--out", type=Path, default=Path("output"), metavar="DIR", help="where to (default: output)")
    parser.add_argument("--draw", default="", metavar="MAPS", help='also draw "heatmaps", "pafs" or "heatmaps,pafs"')
    parser.add_argument("--device", default="cpu", help='where the network runs, such as "cuda:0" (default: cpu)')
    parser.add_argument("--flip-test", action="store_true", help="average with the mirrored picture; twice the time")
    parser.set_defaults(run=_predict)


def _add_models(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("models", help="list the variants and what they cost", description=_models.__doc__)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.set_defaults(run=_models)


def _add_convert(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("convert", help="convert released weights", description=_convert.__doc__)
    parser.add_argument("source", type=Path, metavar="FILE", help="released .h5 or .tflite file")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="CHECKPOINT", help="the .pth file to write")
    parser.add_argument("--model", choices=list(VARIANTS), type=str.lower, help="variant (default: as recognised)")
    parser.set_defaults(run=_convert)


def _add_download(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("download", help="fetch released weights", description=_download.__doc__)
    parser.add_argument("models", nargs="+", choices=list(VARIANTS), type=str.lower, metavar="MODEL", help="variants")
    parser.set_defaults(run=_download)


def _add_demo(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("demo", help="poses in photographs that come along", description=_demo.__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo_output"), metavar="DIR", help="where pictures go")
    parser.set_defaults(run=_demo)


def _predict(options: argparse.Namespace) -> int:
    """Find the pose of each person; write an overlay per picture and predictions.json."""
    from efficientpose.runtime.images import find_images

    draw_maps = frozenset(filter(None, options.draw.split(",")))
    if unknown := draw_maps - {"heatmaps", "pafs"}:
        raise _UsageError(
            f'--draw takes "heatmaps", "pafs" or both joined by a comma, not {", ".join(sorted(unknown))}'
        )
    images, missing = find_images(options.sources)
    for error in missing:
        print(f"efficientpose: {error}", file=sys.stderr)
    if not images:
        raise _UsageError("nothing to do: no pictures were found")
    with _quiet_imports():
        from efficientpose.inference.estimator import PoseEstimator
        from efficientpose.inference.job import PREDICTIONS_FILE, predict_files, prepare_folder
    prepare_folder(options.out)
    if any(image.parent.resolve() == options.out.resolve() for image in images):
        raise _UsageError(f"{options.out} holds pictures to read; choose another folder to write to with --out")
    boxes = _parse_boxes(options.boxes, images)
    estimator = PoseEstimator.load(
        options.model,
        weights=options.weights,
        config=options.config,
        device=options.device,
        flip_test=options.flip_test or None,
    )
    with _progress(f"EfficientPose {options.model.upper()}", len(images)) as advance:
        result = predict_files(estimator, images, options.out, boxes=boxes, draw_maps=draw_maps, on_image_done=advance)
    for message in result.errors:
        print(f"efficientpose: {message}", file=sys.stderr)
    print(f"{len(result.images)} of {len(images)} pictures: {options.out / PREDICTIONS_FILE}")
    if not result.images:
        return NOTHING_DONE
    return SOME_FAILED if result.errors or missing else 0


def _parse_boxes(text: str | None, images: Sequence[Path]) -> "Mapping[str, Boxes] | None":
    """Read ``--boxes``: coordinates for every picture, or a JSON file."""
    from efficientpose.inference.job import read_boxes

    if text is None:
        return None
    if text.lower().endswith(".json"):
        return read_boxes(Path(text))
    try:
        people = [[float(value) for value in box.split(",")] for box in text.split(";")]
    except ValueError:
        people = []
    if not people or any(len(box) != 4 for box in people):
        raise _UsageError(f'--boxes takes "x1,y1,x2,y2" (several joined by ";") or a .json file, not {text!r}')
    return {str(image): people for image in images}


def _models(options: argparse.Namespace) -> int:
    """Count every variant's parameters and FLOPs on the built network, next to the paper's."""
    with _quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.models.table import count_variants, print_json, print_table

    rows = count_variants()
    print_json(rows) if options.json else print_table(rows)
    return 0


def _convert(options: argparse.Namespace) -> int:
    """Convert released weights (.h5 or .tflite) to a checkpoint, strict about every tensor."""
    with _quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.weights.convert import convert_file

    name = convert_file(options.source, options.out, variant=options.model)
    print(f"EfficientPose {name.upper()}: {options.out}")
    return 0


def _download(options: argparse.Namespace) -> int:
    """Fetch released weights from the authors' repository, check and convert them, and keep them in the cache."""
    with _quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.weights.download import download

    for name in options.models:
        print(f"EfficientPose {name.upper()}: {download(name)}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    """Find poses in photographs that a dependency ships, with RT and I."""
    with _quiet_imports():
        from efficientpose.inference.demo import run_demo

    run_demo(options.out)
    return 0


@contextlib.contextmanager
def _quiet_imports() -> Iterator[None]:
    """Import without what MMDetection and MMPretrain print about data sets that nobody asked for."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error; yield the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


if __name__ == "__main__":
    sys.exit(main())
