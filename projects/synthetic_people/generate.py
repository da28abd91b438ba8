"""Draw a whole dataset: in parallel, the same bytes for any number of workers, all or nothing. Start here."""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from efficientpose.commands.console import INTERRUPTED, progress
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.datasets.annotation_files import (
    MPII_MISSING,
    PIXELS_PER_SCALE,
    MpiiPerson,
    make_category,
    write_coco,
    write_headboxes,
    write_mpii,
)
from synthetic_people.camera import encode_jpeg
from synthetic_people.crowd import describe_people, sample_crowd
from synthetic_people.folder import ANNOTATION_FOLDER, IMAGE_FOLDER, all_or_nothing, open_map
from synthetic_people.scene import Scene, sample_scene

MAX_IMAGES: Final = 1_000_000

STATURES: Final = (140.0, 230.0)  # standing heights of people in crowds, pixels

SPACINGS: Final = (0.35, 0.9)
"""From person to person in crowds, in statures: from one before the other to clearly apart."""

CROWD_STREAM: Final = 2  # keeps the random numbers of crowds apart from those of :class:`Split`


class Split(IntEnum):
    """Part of the dataset; the value keeps random numbers and file names of the parts apart."""

    TRAIN = 0
    VAL = 1

    def image_name(self, index: int) -> str:
        """Return the file name of image ``index``: 000000001.jpg and on, 500000001.jpg and on for validation."""
        return f"{int(self) * 500_000_000 + index + 1:09d}.jpg"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to draw.

    Raises ValueError if a number is out of range.
    """

    num_train: int  # images for training
    num_val: int  # images for validation
    seed: int = 0  # image ``i`` of a split depends on the seed, the split and ``i`` alone
    num_workers: int = 1  # processes

    def __post_init__(self) -> None:
        for name, count in (("train", self.num_train), ("val", self.num_val)):
            if not 1 <= count <= MAX_IMAGES:
                raise ValueError(f"{name} is {count}: the number of images must be from 1 to {MAX_IMAGES}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: it must be 0 or more")
        if self.num_workers < 1:
            raise ValueError(f"workers is {self.num_workers}: at least 1 process must draw")


def generate(plan: Plan, out: Path, *, overwrite: bool = False, on_image: Callable[[], None] = lambda: None) -> None:
    """Draw one annotated person an image: ``images/``, ``annotations/mpii_{train,val}.json``, ``mpii_gt_val.mat``.

    Everything is written into a hidden folder beside ``out``, which takes its name once it is complete. After an error
    or an interruption the hidden folder is removed and ``out`` is as it was; a process that is killed outright leaves
    the hidden folder, ``.<name>.partial-...``, behind. ``overwrite`` allows to replace an earlier synthetic dataset.

    Raises OSError if ``out`` exists and may not be replaced, or cannot be written; BrokenProcessPool if a worker was
    killed, as for want of memory.
    """
    with all_or_nothing(out, overwrite=overwrite) as staging:
        people = _draw_all(draw_image, plan, staging / IMAGE_FOLDER, on_image)
        for split in Split:
            write_mpii(staging / ANNOTATION_FOLDER / f"mpii_{split.name.lower()}.json", people[split])
        write_headboxes(staging / ANNOTATION_FOLDER / "mpii_gt_val.mat", people[Split.VAL])


def generate_crowds(
    plan: Plan,
    out: Path,
    *,
    max_people: int = 6,
    overwrite: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> None:
    """Draw scenes of 1 to ``max_people`` people: ``images/`` and, as COCO has them, ``annotations/crowd_*.json``.

    Arguments and errors are those of :func:`generate`; fewer than 1 person is a ``ValueError``.
    """
    if max_people < 1:
        raise ValueError(f"people is {max_people}: a scene needs at least 1")
    draw = partial(draw_crowd, max_people=max_people)
    with all_or_nothing(out, overwrite=overwrite) as staging:
        for split, scenes in _draw_all(draw, plan, staging / IMAGE_FOLDER, on_image).items():
            images: list[dict[str, Any]] = []
            annotations: list[dict[str, Any]] = []
            for image, people in scenes:
                images.append({"id": len(images) + 1, **image})
                annotations += [
                    {"id": len(annotations) + number, "image_id": len(images), **person}
                    for number, person in enumerate(people, start=1)
                ]
            path = staging / ANNOTATION_FOLDER / f"crowd_{split.name.lower()}.json"
            categories = [make_category(KEYPOINT_NAMES)]
            write_coco(path, {"images": images, "annotations": annotations, "categories": categories})


def _draw_all(
    draw: Callable[..., Any], plan: Plan, folder: Path, on_image: Callable[[], None]
) -> dict[Split, list[Any]]:
    """Draw all images of a plan into a folder and return what ``draw`` does, by split."""
    drawn: dict[Split, list[Any]] = {split: [] for split in Split}
    with open_map(plan.num_workers) as map_in_order:
        for split, number in ((Split.TRAIN, plan.num_train), (Split.VAL, plan.num_val)):
            for result in map_in_order(partial(draw, split=split, seed=plan.seed, folder=folder), range(number)):
                drawn[split].append(result)
                on_image()
    return drawn


def draw_image(index: int, *, split: Split, seed: int, folder: Path) -> MpiiPerson:
    """Draw one image of one person into ``folder`` and return its annotation."""
    cv2.setNumThreads(1)  # threads inside OpenCV would only compete with the other workers
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(split), index)))
    scene = sample_scene(rng)
    name = split.image_name(index)
    (folder / name).write_bytes(encode_jpeg(scene.image, quality=int(rng.integers(40, 96))))
    return annotate(scene, image=name)


def annotate(scene: Scene, *, image: str) -> MpiiPerson:
    """Return the main person of a scene as MPII annotates it, 1-based; coordinates have 4 decimals."""
    x, y = np.round(scene.centre + 1, 4).tolist()
    x1, y1, x2, y2 = (scene.head_box + 1).ravel().tolist()
    return MpiiPerson(
        image=image,
        centre=(x, y),
        scale=round(scene.stature / PIXELS_PER_SCALE, 6),
        joints=np.where(scene.labelled[:, None], np.round(scene.keypoints + 1, 4), MPII_MISSING),
        labelled=scene.labelled,
        headbox=(x1, y1, x2, y2),
    )


def draw_crowd(
    index: int, *, split: Split, seed: int, max_people: int, folder: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw one scene into ``folder`` and return COCO's entries of the image and its people, without ids."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(CROWD_STREAM, int(split), index)))
    scene = sample_crowd(
        rng,
        num_people=int(rng.integers(1, max_people + 1)),
        stature=float(rng.uniform(*STATURES)),
        spacing=float(rng.uniform(*SPACINGS)),
    )
    name = split.image_name(index)
    (folder / name).write_bytes(encode_jpeg(scene.image, quality=int(rng.integers(40, 96))))
    height, width = scene.image.shape[:2]
    return {"file_name": name, "width": width, "height": height}, describe_people(scene)


def add_drawing_arguments(parser: argparse.ArgumentParser, *, num_train: int, num_val: int, images: str) -> None:
    """Add to a tool's parser where to draw, how much, and how; ``images`` is what they are called."""
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--train", type=int, default=num_train, help=f"{images} for training (default: %(default)s)")
    parser.add_argument("--val", type=int, default=num_val, help=f"{images} for validation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier synthetic dataset")


def run_drawing_tool(arguments: argparse.Namespace, draw: Callable[..., None], *, images: str, **options: Any) -> int:
    """Draw with :func:`generate` or :func:`generate_crowds` and a progress bar; return the exit status."""
    try:
        plan = Plan(
            num_train=arguments.train, num_val=arguments.val, seed=arguments.seed, num_workers=arguments.workers
        )
        with progress("drawing", plan.num_train + plan.num_val) as advance:
            draw(plan, arguments.out, overwrite=arguments.overwrite, on_image=advance, **options)
    except (ValueError, OSError, BrokenProcessPool) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted: {arguments.out} is as it was", file=sys.stderr)
        return INTERRUPTED
    print(f"{plan.num_train} training and {plan.num_val} validation {images} in {arguments.out}")
    return 0
