"""Write keypoint tables as COCO's annotation files, which MMPose's CocoDataset reads.

Coordinates in the files are 0-based pixel-centre indices: 0, 0 is the middle of the first pixel.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.core.images import read_image
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.datasets.keypoint_tables import KeypointTable, TablePoint

CATEGORY = 1


@dataclass(frozen=True, kw_only=True)
class CocoSettings:
    """How a table becomes annotations.

    Attributes:
        keypoint_names: Their order; empty for the table's own.
        limbs: Pairs of names; None for those of MPII's body between the names that it has.
        origin: What the table calls the first pixel's centre: 0, or 1 as MATLAB does, or 0.5 where 0 is its corner.
        box_margin: What is added to the box around a person's keypoints on every side, per its longer side.

    Raises:
        ValueError: If the origin or margin is no number, or the margin is negative.
    """

    keypoint_names: tuple[str, ...] = ()
    limbs: tuple[tuple[str, str], ...] | None = None
    origin: float = 0.0
    box_margin: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.origin) and 0 <= self.box_margin < math.inf):
            raise ValueError(
                f"the origin is a number and the box margin 0 or more, got {self.origin} and {self.box_margin}"
            )


class Summary(NamedTuple):
    """How many of what were written.

    Attributes:
        num_images: Images.
        num_people: People with a labelled keypoint.
        num_empty: People without, who were left out.
    """

    num_images: int
    num_people: int
    num_empty: int


def split_images(images: Sequence[str], *, val_share: float, seed: int, by_folder: bool) -> tuple[list[str], list[str]]:
    """Divide images into those to train on and those to validate on, in their order.

    Args:
        images: Their names.
        val_share: Share to validate on, 0 to below 1; at least one image if above 0.
        seed: Same seed, same division.
        by_folder: Whether images of one folder, such as frames of one video, stay together.

    Raises:
        ValueError: If the share is out of its range, or there is too little to divide.
    """
    if not 0 <= val_share < 1:
        raise ValueError(f"the share to validate on must be at least 0 and below 1, got {val_share}")
    group_of = {image: str(Path(image).parent) if by_folder else image for image in images}
    groups = sorted(set(group_of.values()))
    num_val = 0 if val_share == 0 else max(1, round(val_share * len(groups)))
    if num_val >= len(groups) and num_val:
        kind = "folder of images" if by_folder else "image"
        raise ValueError(f"there is {len(groups)} {kind}, too little to divide: use a share of 0")
    chosen = {groups[index] for index in np.random.default_rng(seed).permutation(len(groups))[:num_val]}
    return [each for each in images if group_of[each] not in chosen], [
        each for each in images if group_of[each] in chosen
    ]


def make_coco(table: KeypointTable, images: Sequence[str], folder: Path, settings: CocoSettings) -> dict[str, Any]:
    """Make an annotation file's content.

    Args:
        table: Has the images.
        images: Those to include.
        folder: Where they are; a path in the table may have folders in front that are not there.
        settings: How.

    Raises:
        FileNotFoundError: If an image is absent.
        ValueError: If an image cannot be read, or a keypoint or limb is unknown.
    """
    names = settings.keypoint_names or table.keypoint_names
    if unknown := [name for name in table.keypoint_names if name not in names]:
        raise ValueError(f"unknown keypoint {', '.join(unknown)}: expected {', '.join(names)}")
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        path = find_image(folder, image)
        height, width = read_image(path).shape[:2]
        file_name = path.relative_to(folder).as_posix()
        entries.append(dict(id=number, file_name=file_name, width=width, height=height))
        for person in table.images[image].values():
            if person:
                about = dict(id=len(annotations) + 1, image_id=number, category_id=CATEGORY, iscrowd=0)
                annotations.append(about | _annotate(person, names, settings, image_size=(width, height)))
    info = dict(description="keypoints as 0-based pixel-centre indices")
    return dict(
        info=info, licenses=[], images=entries, categories=[category_of(names, settings.limbs)], annotations=annotations
    )


def _annotate(
    person: dict[str, TablePoint], names: Sequence[str], settings: CocoSettings, *, image_size: tuple[int, int]
) -> dict[str, Any]:
    points = np.array([(point.x, point.y) for point in person.values()]) - settings.origin
    margin = max(settings.box_margin * float(np.ptp(points, axis=0).max()), 1.0)
    low = np.clip(points.min(axis=0) - margin, 0, np.array(image_size) - 1)
    high = np.clip(points.max(axis=0) + margin, 0, np.array(image_size) - 1)
    keypoints: list[float] = []
    for name in names:
        point = person.get(name)
        keypoints += (
            (0, 0, 0) if point is None else (point.x - settings.origin, point.y - settings.origin, point.visible)
        )
    width, height = (high - low).tolist()
    bbox = [*low.tolist(), width, height]
    return dict(keypoints=keypoints, num_keypoints=len(person), bbox=bbox, area=width * height)


def category_of(names: Sequence[str], limbs: Sequence[tuple[str, str]] | None) -> dict[str, Any]:
    """Return COCO's entry for people of these keypoints; limbs as :func:`list_limbs` takes them."""
    skeleton = list_limbs(names, limbs)
    return dict(id=CATEGORY, name="person", supercategory="person", keypoints=list(names), skeleton=skeleton)


def list_limbs(names: Sequence[str], limbs: Sequence[tuple[str, str]] | None) -> list[list[int]]:
    """Return COCO's skeleton, pairs of keypoints counted from 1.

    Raises:
        ValueError: If a limb joins a keypoint that is not there.
    """
    if limbs is None:
        own = [(KEYPOINT_NAMES[limb.proximal], KEYPOINT_NAMES[limb.distal]) for limb in LIMBS]
        limbs = [limb for limb in own if limb[0] in names and limb[1] in names]
    order = list(names)
    for limb in limbs:
        if unknown := [name for name in limb if name not in order]:
            raise ValueError(
                f"limb {':'.join(limb)}: unknown keypoint {', '.join(unknown)}; there are {', '.join(names)}"
            )
    return [[order.index(first) + 1, order.index(second) + 1] for first, second in limbs]


def find_image(folder: Path, image: str) -> Path:
    """Return the image's file: its path in the folder, with as many of the path's folders as are there.

    Raises:
        FileNotFoundError: If there is none.
    """
    parts = [part for part in image.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." not in parts:
        for start in range(len(parts)):
            path = folder.joinpath(*parts[start:])
            if path.is_file():
                return path
    other = f", nor {folder / parts[-1]}" if len(parts) > 1 else ""
    raise FileNotFoundError(f"{folder / image}: no such image{other}")


def write_coco(path: Path, content: dict[str, Any]) -> None:
    """Write an annotation file.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def summarise(table: KeypointTable, images: Sequence[str]) -> Summary:
    """Count images and people."""
    people = [bool(person) for image in images for person in table.images[image].values()]
    return Summary(len(images), sum(people), len(people) - sum(people))
