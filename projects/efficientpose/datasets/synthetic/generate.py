"""Draw a whole synthetic MPII: in parallel, the same bytes for any number of workers, all or nothing."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from efficientpose.datasets.synthetic.layout import (
    ANNOTATION_FOLDER,
    HEAD_BOX_NAME,
    IMAGE_FOLDER,
    Annotation,
    is_synthetic_mpii,
    write_annotations,
    write_head_boxes,
)
from efficientpose.datasets.synthetic.photograph import encode_jpeg
from efficientpose.datasets.synthetic.scene import sample_scene

MAX_IMAGES: Final = 1_000_000
IMAGES_PER_TASK: Final = 8


class Split(IntEnum):
    """Part of the data set; its value keeps its random numbers and its file names apart from the other's."""

    TRAIN = 0
    VAL = 1

    def image_name(self, index: int) -> str:
        """Return the file name of picture ``index``: 000000001.jpg and on, 500000001.jpg and on for validation."""
        return f"{int(self) * 500_000_000 + index + 1:09d}.jpg"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to draw.

    Attributes:
        num_train: Pictures for training, each with one annotated person.
        num_val: Pictures for validation.
        seed: Of all randomness; picture ``i`` of a split depends on nothing but the seed, the split and ``i``.
        num_workers: Processes.

    Raises:
        ValueError: If a number is out of range.
    """

    num_train: int
    num_val: int
    seed: int = 0
    num_workers: int = 1

    def __post_init__(self) -> None:
        for name, count in (("train", self.num_train), ("val", self.num_val)):
            if not 1 <= count <= MAX_IMAGES:
                raise ValueError(f"{name} is {count}: the number of pictures must be from 1 to {MAX_IMAGES}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: it must be 0 or more")
        if self.num_workers < 1:
            raise ValueError(f"workers is {self.num_workers}: at least 1 process must draw")


def draw_image(index: int, *, split: Split, seed: int, folder: Path) -> Annotation:
    """Draw one picture, write it into ``folder`` and return its annotation.

    Raises:
        OSError: If the file cannot be written.
    """
    # Threads inside OpenCV would only compete with the other workers.
    cv2.setNumThreads(1)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(split), index)))
    scene = sample_scene(rng)
    name = split.image_name(index)
    (folder / name).write_bytes(encode_jpeg(scene.image, quality=int(rng.integers(40, 96))))
    return Annotation(
        image=name,
        keypoints=scene.keypoints,
        labelled=scene.labelled,
        head_box=scene.head_box,
        centre=scene.centre,
        stature=scene.stature,
    )


@contextmanager
def _mapper(num_workers: int) -> Iterator[Callable[[partial[Annotation], range], Iterator[Annotation]]]:
    if num_workers == 1:
        yield map
        return
    # A forked copy of a process that has used OpenCV's threads may hang; a spawned one does not.
    pool = ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"))
    try:
        yield partial(pool.map, chunksize=IMAGES_PER_TASK)
    finally:
        pool.shutdown(cancel_futures=True)


def check_destination(out: Path, *, overwrite: bool) -> None:
    """Check that ``out`` may be written, before any time is spent on drawing.

    Raises:
        FileExistsError: If it holds something that must not be replaced.
        NotADirectoryError: If it is a file.
        FileNotFoundError: If the folder above it is missing and cannot be made.
        PermissionError: If the folder above it cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file: name a folder")
    if out.is_dir() and any(out.iterdir()):
        if not overwrite:
            raise FileExistsError(f"{out} is not empty: name another folder, or ask to overwrite it")
        if not is_synthetic_mpii(out):
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


def _draw_split(
    plan: Plan, split: Split, folder: Path, on_image: Callable[[], None], draw_all: Callable[..., Iterator[Annotation]]
) -> list[Annotation]:
    draw = partial(draw_image, split=split, seed=plan.seed, folder=folder)
    annotations = []
    for annotation in draw_all(draw, range(plan.num_train if split is Split.TRAIN else plan.num_val)):
        annotations.append(annotation)
        on_image()
    return annotations


def generate(plan: Plan, out: Path, *, overwrite: bool = False, on_image: Callable[[], None] = lambda: None) -> None:
    """Draw a data set into the folder ``out``: ``images/``, ``annotations/mpii_{train,val}.json``, ``mpii_gt_val.mat``.

    Everything is written into a hidden folder beside ``out``, which takes its name once it is complete. After an error
    or an interruption the hidden folder is removed and ``out`` is as it was; a process that is killed outright leaves
    the hidden folder, ``.<name>.partial-...``, behind.

    Args:
        plan: What to draw.
        out: Folder to make.
        overwrite: Replace an earlier synthetic MPII there.
        on_image: Called after each picture.

    Raises:
        OSError: If ``out`` exists and may not be replaced, or cannot be written.
        BrokenProcessPool: If a worker was killed, as for want of memory.
    """
    out = out.resolve()
    check_destination(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        staging.chmod(0o755)
        images, annotations = staging / IMAGE_FOLDER, staging / ANNOTATION_FOLDER
        images.mkdir()
        annotations.mkdir()
        with _mapper(plan.num_workers) as draw_all:
            drawn = {split: _draw_split(plan, split, images, on_image, draw_all) for split in Split}
        num_written = sum(1 for _ in images.iterdir())
        if num_written != plan.num_train + plan.num_val:
            raise OSError(f"{num_written} of {plan.num_train + plan.num_val} pictures were written to {images}")
        write_annotations(annotations / "mpii_train.json", drawn[Split.TRAIN])
        write_annotations(annotations / "mpii_val.json", drawn[Split.VAL])
        write_head_boxes(annotations / HEAD_BOX_NAME, drawn[Split.VAL])
        _put_in_place(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
