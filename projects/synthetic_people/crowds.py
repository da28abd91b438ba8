"""Draw a whole data set of synthetic scenes of several people, with annotations in COCO's format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.datasets.coco_files import CATEGORY, category_of, write_coco
from synthetic_people.crowd import sample_crowd
from synthetic_people.folder import all_or_nothing, mapper
from synthetic_people.generate import Plan, Split
from synthetic_people.layout import ANNOTATION_FOLDER, IMAGE_FOLDER
from synthetic_people.photograph import encode_jpeg
from synthetic_people.scenes import PeopleScene

STATURES: Final = (140.0, 230.0)
SPACINGS: Final = (0.35, 0.9)
"""From person to person, in statures: from one before the other to clearly apart."""

BOX_MARGIN: Final = 0.1
AREA_OF_BOX: Final = 0.53
"""What of a box a person fills, as MMPose reckons where there is no outline."""

VISIBLE: Final = 2
CROWD_STREAM: Final = 2
"""Keeps the random numbers apart from those of pictures of one person."""


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """What is known of a drawn scene.

    Attributes:
        image: File name.
        image_size: (width, height), pixels.
        people: One COCO annotation each, without ids.
    """

    image: str
    image_size: tuple[int, int]
    people: tuple[dict[str, Any], ...]


def generate_crowds(
    plan: Plan,
    out: Path,
    *,
    max_people: int = 6,
    overwrite: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> None:
    """Draw a data set into the folder ``out``: ``images/`` and ``annotations/crowd_{train,val}.json``.

    All or nothing, as :func:`synthetic_people.generate.generate`; the same bytes for any number of
    workers.

    Args:
        plan: How many scenes.
        out: Folder to make.
        max_people: From one to so many are in a scene.
        overwrite: Replace an earlier one there.
        on_image: Called after each scene.

    Raises:
        ValueError: If ``max_people`` is below 1.
        OSError: If ``out`` exists and may not be replaced, or cannot be written.
        BrokenProcessPool: If a worker was killed, as for want of memory.
    """
    if max_people < 1:
        raise ValueError(f"people is {max_people}: a scene needs at least 1")
    with all_or_nothing(out, overwrite=overwrite) as staging, mapper(plan.num_workers) as draw_all:
        for split, number in ((Split.TRAIN, plan.num_train), (Split.VAL, plan.num_val)):
            draw = partial(
                draw_scene, split=split, seed=plan.seed, max_people=max_people, folder=staging / IMAGE_FOLDER
            )
            records = []
            for record in draw_all(draw, range(number)):
                records.append(record)
                on_image()
            write_scenes(staging / ANNOTATION_FOLDER / f"crowd_{split.name.lower()}.json", records)


def draw_scene(index: int, *, split: Split, seed: int, max_people: int, folder: Path) -> SceneRecord:
    """Draw one scene, write it into ``folder`` and return what is known of it.

    Raises:
        OSError: If the file cannot be written.
    """
    # Threads inside OpenCV would only compete with the other workers.
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
    return SceneRecord(image=name, image_size=(width, height), people=tuple(describe_people(scene)))


def describe_people(scene: PeopleScene) -> list[dict[str, Any]]:
    """Return keypoints, box and area as COCO has them, of everybody of whom a joint is in the picture.

    COCO's visibility is 2 where a joint is in the picture, whoever stands before it, and 0 elsewhere.
    """
    height, width = scene.image.shape[:2]
    people = []
    for keypoints, labelled, box in zip(scene.keypoints, scene.labelled, scene.boxes, strict=True):
        margin = BOX_MARGIN * float((box[2:] - box[:2]).max())
        low = np.maximum(box[:2] - margin, 0)
        high = np.minimum(box[2:] + margin, (width, height))
        if not labelled.any() or (high - low).min() < 1:
            continue
        points = np.column_stack((np.where(labelled[:, None], keypoints, 0), VISIBLE * labelled))
        people.append(
            {
                "keypoints": [round(float(value), 2) for value in points.ravel()],
                "num_keypoints": int(labelled.sum()),
                "bbox": [round(float(value), 2) for value in (*low, *(high - low))],
                "area": round(AREA_OF_BOX * float(np.prod(high - low)), 2),
                "iscrowd": 0,
                "category_id": CATEGORY,
            }
        )
    return people


def write_scenes(path: Path, records: Sequence[SceneRecord]) -> None:
    """Write scenes in COCO's format; pictures and people are numbered from 1."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, record in enumerate(records, start=1):
        width, height = record.image_size
        images.append({"id": image_id, "file_name": record.image, "width": width, "height": height})
        for person in record.people:
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **person})
    categories = [category_of(KEYPOINT_NAMES, None)]
    write_coco(path, {"images": images, "annotations": annotations, "categories": categories})
