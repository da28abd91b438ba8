"""Leeds Sports Pose with its own 14 keypoints, in COCO's format: for networks with a skeleton of their own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from lsp import LSP_NAMES, VAL_FOLD, LspPerson, provide_images, read_collection, split_people

from efficientpose.core.crops import PERSON_PADDING
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.datasets.coco_files import CATEGORY, category_of, write_coco
from efficientpose.datasets.lsp_boxes import REGION_PER_BOX

LSP_LIMBS: Final = (
    ("right_knee", "right_ankle"),
    ("right_hip", "right_knee"),
    ("right_shoulder", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_elbow", "right_wrist"),
    ("right_shoulder", "right_elbow"),
    ("upper_neck", "right_shoulder"),
    ("upper_neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("head_top", "upper_neck"),
)
"""A tree over LSP's joints: MPII's limbs, but for those of the thorax, which LSP lacks."""

MIN_ASPECT: Final = 0.1
"""Shorter side of a box per longer side, at least: joints one above the other would have none."""

_INDICES: Final = [KEYPOINT_NAMES.index(name) for name in LSP_NAMES]


class CocoSummary(NamedTuple):
    """What was written: the training file, and numbers of people."""

    training_file: Path
    num_train: int
    num_val: int


def convert_to_coco(
    source: Path, out: Path, *, first: int | None = None, skip_absent: bool = False, copy_images: bool = False
) -> CocoSummary:
    """Write ``out/annotations/{name}14_train.json`` and ``_val.json``, and provide ``out/images``.

    With ``first``, the training file is ``{name}14_train_{first}.json``. Validation people are those of
    :func:`lsp.convert`, and their crops the same but at the pictures' borders, where MMPose
    clips boxes.

    Args:
        source: Folder with ``joints.mat`` and ``images/``.
        out: Folder to write; may be ``source``.
        first: How many training photographs, the first by number; None for all.
        skip_absent: Pass over entries whose photograph is absent.
        copy_images: Copy the photographs instead of making ``out/images`` a symbolic link to them.

    Raises:
        FileExistsError: If ``out/images`` is there and is something else.
        FileNotFoundError: If a file is absent.
        OSError: If the files cannot be written.
        ValueError: If the source is not what it should be, or has not so many training photographs.
    """
    collection = read_collection(source, skip_absent=skip_absent)
    train, val = split_people(collection.people)
    if first is not None and not 0 < first <= len(train):
        raise ValueError(f"--first {first}: {source} has 1 to {len(train)} photographs for training")
    if not val:
        raise ValueError(
            f"{source}: nobody is left for validation: photographs whose number ends in {VAL_FOLD + 1} are"
        )
    provide_images(source / "images", out / "images", [person.image for person in collection.people], copy=copy_images)
    name = f"{collection.layout.value}14"
    training_file = out / "annotations" / (f"{name}_train.json" if first is None else f"{name}_train_{first}.json")
    train = train[:first]
    _write_people(training_file, train, images=source / "images")
    _write_people(out / "annotations" / f"{name}_val.json", val, images=source / "images")
    return CocoSummary(training_file, len(train), len(val))


def _write_people(path: Path, people: Sequence[LspPerson], *, images: Path) -> None:
    """Write people in COCO's format, whole or not at all; pixels are counted from 0.

    Args:
        path: The file; its folder is made if need be.
        people: One a photograph.
        images: Folder of the photographs, whose sizes are read.

    Raises:
        ValueError: If a photograph cannot be read.
    """
    content = {
        "images": [_image(person, images) for person in people],
        "annotations": [_annotation(person) for person in people],
        "categories": [category_of(LSP_NAMES, LSP_LIMBS)],
    }
    write_coco(path, content)


def _image(person: LspPerson, folder: Path) -> dict[str, Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(folder / person.image) as picture:  # the header alone
            width, height = picture.size
    except UnidentifiedImageError as error:
        raise ValueError(f"{folder / person.image} is no picture") from error
    return {"id": person.number, "file_name": person.image, "width": width, "height": height}


def _annotation(person: LspPerson) -> dict[str, Any]:
    """Return a person with a box that ``PersonCenterScale`` makes 1.4 times the one around the joints."""
    points = np.where(person.labelled[:, None], person.joints - 1, 0)[_INDICES]
    flags = 2 * person.labelled[_INDICES].astype(int)
    known = points[flags > 0]
    low, high = known.min(axis=0), known.max(axis=0)
    size = REGION_PER_BOX / PERSON_PADDING * np.maximum(high - low, MIN_ASPECT * (high - low).max())
    corner = (low + high - size) / 2
    keypoints = np.column_stack((points, flags))
    return {
        "id": person.number,
        "image_id": person.number,
        "category_id": CATEGORY,
        "iscrowd": 0,
        "bbox": [round(float(value), 3) for value in (*corner, *size)],
        "area": round(float(size.prod()), 3),
        "num_keypoints": int(person.labelled[_INDICES].sum()),
        "keypoints": [round(float(value), 3) for value in keypoints.ravel()],
    }
