"""A folder of drawn images: written in parallel, all of it or nothing."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

IMAGE_FOLDER: Final = "images"
ANNOTATION_FOLDER: Final = "annotations"
IMAGES_PER_TASK: Final = 8


@contextmanager
def open_map(num_workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Yield a ``map`` that works in ``num_workers`` processes, in order; pending work is cancelled at the end."""
    if num_workers == 1:
        yield map
        return
    # A forked copy of a process that has used OpenCV's threads may hang; a spawned one does not.
    pool = ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"))
    try:
        yield partial(pool.map, chunksize=IMAGES_PER_TASK)
    finally:
        pool.shutdown(cancel_futures=True)


def _check_destination(out: Path, *, overwrite: bool) -> None:
    """Raise OSError unless ``out`` may be written, before any time is spent on drawing."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file: name a folder")
    if out.is_dir() and any(out.iterdir()):
        if not overwrite:
            raise FileExistsError(f"{out} is not empty: name another folder, or ask to overwrite it")
        if not {entry.name for entry in out.iterdir()} <= {IMAGE_FOLDER, ANNOTATION_FOLDER}:
            raise FileExistsError(
                f"{out} holds more than {IMAGE_FOLDER}/ and {ANNOTATION_FOLDER}/: "
                "it is not overwritten, delete it yourself"
            )
    parent = next(folder for folder in out.parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{out} cannot be written: no folders can be made in {parent}")


def _put_in_place(staging: Path, out: Path) -> None:
    """Give the finished folder its name; what was there goes only after the new one is in place."""
    if not out.exists():
        staging.rename(out)
        return
    shelf = Path(tempfile.mkdtemp(prefix=f".{out.name}.former-", dir=out.parent))
    former = shelf / out.name
    out.rename(former)
    try:
        staging.rename(out)
    except OSError:
        former.rename(out)
        shelf.rmdir()
        raise
    shutil.rmtree(shelf, ignore_errors=True)


@contextmanager
def all_or_nothing(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a hidden folder beside ``out``, with ``images/`` and ``annotations/``, that takes its name at the end.

    After an error or an interruption the hidden folder is removed and ``out`` is as it was.
    """
    out = out.resolve()
    _check_destination(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        staging.chmod(0o755)
        (staging / IMAGE_FOLDER).mkdir()
        (staging / ANNOTATION_FOLDER).mkdir()
        yield staging
        _put_in_place(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
