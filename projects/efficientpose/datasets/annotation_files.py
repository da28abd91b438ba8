"""Write annotation files in COCO's layout and in MPII's, which MMPose's datasets read.

COCO's pixels count from 0: (0, 0) is the centre of the first pixel. MPII's count from 1, as in MATLAB.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.core.skeleton import MPII_SKELETON

COCO_CATEGORY_ID: Final = 1

PIXELS_PER_SCALE: Final = 200
CENTRE_SHIFT_PER_SCALE: Final = 15
"""MMPose's MPII dataset makes a box with a side of 200 · scale and moves its centre down by 15 · scale."""

MPII_MISSING: Final = (-1.0, -1.0)  # coordinates of a joint that is not labelled, in MPII's annotation files

# fmt: off
_MAT_JOINT_NAMES: Final = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)
# fmt: on
_MAT_BANNER: Final = b"MATLAB 5.0 MAT-file, MPII's layout".ljust(116)


def make_category(names: Sequence[str], limbs: Sequence[tuple[str, str]] | None = None) -> dict[str, Any]:
    """Return COCO's category of people with these keypoints; limbs None for those of MPII between the names.

    Raises ValueError if a limb's keypoint is not among the names.
    """
    names = list(names)
    if limbs is None:
        limbs = [limb for limb in MPII_SKELETON.named_limbs if set(limb) <= set(names)]
    for limb in limbs:
        if unknown := [name for name in limb if name not in names]:
            known = ", ".join(names)
            raise ValueError(f"limb {':'.join(limb)}: unknown keypoint {', '.join(unknown)}; there are {known}")
    skeleton = [[names.index(name) + 1 for name in limb] for limb in limbs]  # counted from 1
    return dict(id=COCO_CATEGORY_ID, name="person", supercategory="person", keypoints=names, skeleton=skeleton)


def write_coco(path: Path, content: dict[str, Any]) -> None:
    """Write a COCO annotation file, whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class MpiiPerson:
    """One person as MPII annotates it; pixels count from 1."""

    image: str  # file name
    centre: tuple[float, float]  # x, y of the person
    scale: float  # height of the person over 200 px
    joints: np.ndarray  # (16, 2) in MMPose's MPII order, -1 where not labelled
    labelled: np.ndarray  # (16,) bool
    headbox: tuple[float, float, float, float] | None = None  # x1, y1, x2, y2; None where there is none

    @property
    def entry(self) -> dict[str, Any]:
        """The person as an entry of an annotation file."""
        return {
            "joints_vis": self.labelled.astype(int).tolist(),
            "joints": self.joints.tolist(),
            "image": self.image,
            "scale": self.scale,
            "center": list(self.centre),
        }


def write_mpii(path: Path, people: Sequence[MpiiPerson]) -> None:
    """Write an MPII annotation file, one person a line, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(person.entry) for person in people)
    with replacing(path) as partial:
        partial.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def write_headboxes(path: Path, people: Sequence[MpiiPerson]) -> None:
    """Write the ground truth of PCKh in the layout of MMPose's ``mpii_gt_val.mat``, people in the annotations' order.

    It holds ``headboxes_src`` (2, 2, N), ``pos_gt_src`` (16, 2, N; 0 where missing, as in MPII's own), ``jnt_missing``
    (16, N) and ``dataset_joints`` (1, 16). Equal people give equal bytes.

    Raises ValueError if a person has no head box.
    """
    from scipy.io import savemat

    headboxes = []
    for index, person in enumerate(people):
        if person.headbox is None:
            raise ValueError(f"person {index} ({person.image}) has no head box, which PCKh needs")
        headboxes.append(np.reshape(person.headbox, (2, 2)))
    buffer = io.BytesIO()
    contents = {
        "jnt_missing": np.stack([~person.labelled for person in people], axis=-1).astype(np.uint8),
        "pos_gt_src": np.stack([np.where(each.labelled[:, None], each.joints, 0) for each in people], axis=-1),
        "headboxes_src": np.stack(headboxes, axis=-1),
        "dataset_joints": np.array(_MAT_JOINT_NAMES, dtype=object).reshape(1, -1),
    }
    savemat(buffer, contents, do_compression=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:  # SciPy's banner holds the time of day
        partial.write_bytes(_MAT_BANNER + buffer.getvalue()[len(_MAT_BANNER) :])
