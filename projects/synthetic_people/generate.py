"""Draw a whole synthetic MPII: in parallel, the same bytes for any number of workers, all or nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from synthetic_people.folder import all_or_nothing, mapper
from synthetic_people.layout import (
    ANNOTATION_FOLDER,
    HEAD_BOX_NAME,
    IMAGE_FOLDER,
    Annotation,
    write_annotations,
    write_head_boxes,
)
from synthetic_people.photograph import encode_jpeg
from synthetic_people.scene import sample_scene

MAX_IMAGES: Final = 1_000_000


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
    with all_or_nothing(out, overwrite=overwrite) as staging:
        images, annotations = staging / IMAGE_FOLDER, staging / ANNOTATION_FOLDER
        with mapper(plan.num_workers) as draw_all:
            drawn = {split: _draw_split(plan, split, images, on_image, draw_all) for split in Split}
        num_written = sum(1 for _ in images.iterdir())
        if num_written != plan.num_train + plan.num_val:
            raise OSError(f"{num_written} of {plan.num_train + plan.num_val} pictures were written to {images}")
        write_annotations(annotations / "mpii_train.json", drawn[Split.TRAIN])
        write_annotations(annotations / "mpii_val.json", drawn[Split.VAL])
        write_head_boxes(annotations / HEAD_BOX_NAME, drawn[Split.VAL])
