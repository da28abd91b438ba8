"""What the commands share: exit statuses, errors for users, lists of names, progress bars, quiet imports."""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Final

from efficientpose.core.variants import VARIANTS

SOME_FAILED = 1
NOTHING_DONE = 2
INTERRUPTED = 130  # as shells have it after Ctrl-C

EXTRA_MODULES: Final = {
    "runtime": ("rich", "onnxruntime"),
    "openvino": ("openvino",),
    "litert": ("ai_edge_litert",),
    "movement": ("scipy", "pandas", "matplotlib", "tables", "ezc3d"),
    "export": ("onnx", "flatbuffers"),
}
"""Extras of the package, and the modules that each brings; setup.py has their packages."""


class UsageError(Exception):
    """The call cannot be carried out; the message is for the user."""


def find_remedy(module: str) -> str:
    """Return, in words, how to install a module that is missing, such as "mmcv.cnn"."""
    package = module.partition(".")[0]
    if package == "av":
        return "pip install av"
    for extra, modules in EXTRA_MODULES.items():
        if package in modules:
            return f'pip install "efficientpose[{extra}]"'
    return "install PyTorch and MMPose, see requirements/mminstall.txt, or make env in a checkout"


def exit_status(*, num_failed: int, num_tried: int) -> int:
    """Return the exit status of a command that tried several things: 0, or whether some or all of them failed."""
    if num_failed == num_tried:
        return NOTHING_DONE
    return SOME_FAILED if num_failed else 0


def split_names(text: str) -> list[str]:
    """Return names that are joined by commas, each once and in their order."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parse_variants(text: str) -> list[str]:
    """Return the variants that ``--model`` names; raises UsageError if there is none, or one that is not known."""
    names = split_names(text.lower())
    if not names:
        raise UsageError(f"--model takes variants, joined by commas: {', '.join(VARIANTS)}")
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UsageError(f"--model has no {', '.join(unknown)}: there are {', '.join(VARIANTS)}")
    return names


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Import without what MMDetection and MMPretrain print about datasets."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def progress(title: str, total: int | None, *, rate_unit: str | None = None) -> Iterator[Callable[..., None]]:
    """Show a progress bar of so many steps on standard error, and how many units are done a second.

    Yield the function that advances it, whatever it is called with.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as TimeRemaining
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if rate_unit is None or not task.speed else f"{task.speed:.1f} {rate_unit}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemaining())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda *_: bar.advance(task)
