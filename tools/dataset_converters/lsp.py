"""Leeds Sports Pose and its extended training set (Johnson and Everingham, 2010 and 2011): read, and given boxes.

Both name 14 of MPII's 16 keypoints; thorax and pelvis stay unlabelled. Pixels count from 1, as in MPII. The third value
of a keypoint means something different in the two:

- LSP Extended (LSPET): whether the keypoint is visible. The others carry meaningless numbers: unlabelled.
- LSP: whether it is occluded. Occluded keypoints are at their true positions all the same: all 14 are labelled.

Neither has the boxes of person and head that MPII's annotations need: they are made from the keypoints.
"""

import math
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.crops import PERSON_PADDING
from efficientpose.core.skeleton import KEYPOINT_NAMES, NUM_KEYPOINTS, TORSO_DIAGONALS
from efficientpose.datasets.annotation_files import CENTRE_SHIFT_PER_SCALE, MPII_MISSING, PIXELS_PER_SCALE, MpiiPerson

# LSP's keypoints in its order, by our names
LSP_NAMES: Final = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow"),
    *("right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "upper_neck", "head_top"),
)
LSP_INDICES: Final = [KEYPOINT_NAMES.index(name) for name in LSP_NAMES]
NUM_FOLDS: Final = 10
VAL_FOLD: Final = 3

# Side of the square that the network sees, per longer side of the box around the labelled keypoints
REGION_PER_BOX: Final = 1.4
HEADBOX_DIAGONAL_FACTOR: Final = 0.6  # PCKh's reference length per diagonal of the head box (Andriluka et al., 2014)

# PCKh's reference length per distance from head top to neck: in MPII, whose head joints lie on its head boxes, it is
# 0.750 for the 5th to 95th percentile of the 2,958 people of the validation set
REFERENCE_PER_HEAD: Final = 0.75

# Distance from head top to neck per diagonal of the torso, and per longer side of the keypoints' box: medians of the
# 4,796 and 6,369 people of LSPET's training part with these keypoints; half of them are at 0.35 to 0.54, 0.15 to 0.24
HEAD_PER_TORSO: Final = 0.43
HEAD_PER_BOX: Final = 0.19

_HEAD_TOP: Final = KEYPOINT_NAMES.index("head_top")
_NECK: Final = KEYPOINT_NAMES.index("upper_neck")
_TORSO: Final = tuple((KEYPOINT_NAMES.index(a), KEYPOINT_NAMES.index(b)) for a, b in TORSO_DIAGONALS)


class Layout(Enum):
    """Which of the two datasets; the value is the usual prefix of its files."""

    LSP = "lsp"
    LSPET = "lspet"

    def image_name(self, number: int) -> str:
        """Return the name of image ``number`` as published: im0001.jpg, or im00001.jpg (LSPET)."""
        return f"im{number:04d}.jpg" if self is Layout.LSP else f"im{number:05d}.jpg"


@dataclass(frozen=True, kw_only=True)
class LspPerson(MpiiPerson):
    """The person of image ``number``, counted from 1."""

    number: int


class Collection(NamedTuple):
    """What a folder of LSP or LSPET holds."""

    layout: Layout
    people: list[LspPerson]  # usable ones, in the order of ``joints.mat``
    num_absent: int  # entries left out because their image is absent
    num_boxless: int  # entries left out because fewer than two distinct keypoints are labelled


def read_collection(folder: Path, *, skip_absent: bool = False) -> Collection:
    """Read a folder's ``joints.mat``, and match its entries with the images in ``images/``.

    Entries whose image is absent are an error, or left out with ``skip_absent``.
    """
    layout, entries = _read_joints(folder / "joints.mat")
    images = _find_images(folder / "images", num_entries=len(entries))
    absent = [number for number in range(1, len(entries) + 1) if number not in images]
    if absent and not skip_absent:
        path, counts = folder / "images" / layout.image_name(absent[0]), f"{len(absent)} of the {len(entries)}"
        advice = "add them, or leave their people out with --skip-absent"
        raise FileNotFoundError(f"{path}: no such image ({counts} in joints.mat are absent); {advice}")
    numbered = sorted(images.items())
    made = [_make_person(entries[number - 1], number=number, image=image, layout=layout) for number, image in numbered]
    people = [person for person in made if person is not None]
    if not people:
        raise ValueError(f"{folder}: no image has a person with two labelled keypoints, expected at least one")
    return Collection(layout, people, len(absent), len(images) - len(people))


def is_validation(number: int) -> bool:
    """Whether image ``number``, counted from 1, is for validation: one in ten, always the same."""
    return (number - 1) % NUM_FOLDS == VAL_FOLD


def split_people(people: list[LspPerson]) -> tuple[list[LspPerson], list[LspPerson]]:
    """Return those to train on and those to validate on, each in order."""
    train = [person for person in people if not is_validation(person.number)]
    return train, [person for person in people if is_validation(person.number)]


def _read_joints(path: Path) -> tuple[Layout, NDArray[np.float64]]:
    """Return the layout and the joints, (N, 14, 3)."""
    from scipy.io import loadmat

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected the joints.mat of LSP or LSP Extended")
    try:
        contents = loadmat(path)
    except Exception as error:  # SciPy raises many kinds of error on a truncated file
        raise ValueError(f"{path} is not a MATLAB file that can be read: {error}") from error
    if "joints" not in contents:
        raise ValueError(f"{path} holds no 'joints'; expected the joints.mat of LSP or LSP Extended")
    joints = contents["joints"]
    shape = joints.shape
    num_joints = len(LSP_NAMES)
    if joints.dtype.kind in "uif" and len(shape) == 3 and shape[2] > 0:
        if shape[:2] == (num_joints, 3):
            return Layout.LSPET, joints.transpose(2, 0, 1).astype(float)
        if shape[:2] == (3, num_joints):
            return Layout.LSP, joints.transpose(2, 1, 0).astype(float)
    expected = f"numbers of shape ({num_joints}, 3, N) for LSP Extended or (3, {num_joints}, N) for LSP"
    raise ValueError(f"{path}: joints are {joints.dtype} of shape {shape}, expected {expected}")


def _find_images(folder: Path, *, num_entries: int) -> dict[int, str]:
    """Return the file names of images by number, with any number of digits."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected the images im00001.jpg and on")
    images: dict[int, str] = {}
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(r"im(\d+)\.jpg", path.name)
        if match is None:
            continue
        number = int(match[1])
        if number in images:
            raise ValueError(f"{folder}: {images[number]} and {path.name} have the same number")
        if not 1 <= number <= num_entries:
            expected = f"expected images numbered from 1 to {num_entries}; are these the images of another dataset?"
            raise ValueError(f"{path}: joints.mat has {num_entries} entries, {expected}")
        images[number] = path.name
    return images


def _make_person(entry: NDArray[np.float64], *, number: int, image: str, layout: Layout) -> LspPerson | None:
    """Return the person of an entry (14, 3), x, y, flag; None where fewer than two distinct keypoints are labelled."""
    flags = entry[:, 2]
    if layout is Layout.LSPET and not np.isin(flags, [0, 1]).all():
        raise ValueError(f"joints.mat: entry {number} ({image}) has visibilities {flags.tolist()}, expected 0 or 1")
    known = flags == 1 if layout is Layout.LSPET else np.ones(len(LSP_NAMES), dtype=bool)
    broken = np.flatnonzero(known & ~np.isfinite(entry[:, :2]).all(axis=1))
    if len(broken):
        found = f"{LSP_NAMES[broken[0]]} at {entry[broken[0], :2].tolist()}"
        expected = "expected finite coordinates of a labelled keypoint"
        raise ValueError(f"joints.mat: entry {number} ({image}) has {found}, {expected}")
    joints = np.tile(np.array(MPII_MISSING), (NUM_KEYPOINTS, 1))
    labelled = np.zeros(NUM_KEYPOINTS, dtype=bool)
    labelled[LSP_INDICES] = known
    joints[LSP_INDICES] = np.where(known[:, None], entry[:, :2], MPII_MISSING)
    if len(np.unique(joints[labelled], axis=0)) < 2:
        return None
    centre, scale = frame_person(joints[labelled])
    headbox = place_head_box(joints, labelled)
    keypoints = dict(joints=joints, labelled=labelled, headbox=headbox)
    return LspPerson(image=image, number=number, centre=centre, scale=scale, **keypoints)


def frame_person(points: NDArray[np.float64]) -> tuple[tuple[float, float], float]:
    """Return MPII's centre (x, y) and scale for which the network sees 1.4 times the box around points (N, 2).

    That is, after MMPose's MPII dataset has made a box of them, and ``PersonCenterScale`` has padded it.
    """
    x, y = _middle(points)
    scale = REGION_PER_BOX * _longer_side(points) / (PERSON_PADDING * PIXELS_PER_SCALE)
    return (x, y - CENTRE_SHIFT_PER_SCALE * scale), scale


def measure_head(joints: NDArray[np.float64], labelled: NDArray[np.bool_]) -> float:
    """Return the distance from head top to neck, pixels; joints are (16, 2), labelled (16,).

    Where one of them is unlabelled, or they are less than a pixel apart, it is estimated from the torso's diagonal
    (left shoulder to right hip, else right shoulder to left hip), else from the box around the joints.
    """
    for a, b, factor in ((_HEAD_TOP, _NECK, 1.0), *((a, b, HEAD_PER_TORSO) for a, b in _TORSO)):
        length = float(np.linalg.norm(joints[a] - joints[b]))
        if labelled[a] and labelled[b] and length >= 1:
            return factor * length
    return HEAD_PER_BOX * _longer_side(joints[labelled])


def place_head_box(joints: NDArray[np.float64], labelled: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Return the corners x1, y1, x2, y2 of a square head box, whose diagonal gives MPII's reference length.

    It is centred between head top and neck; on one of them where the other is unlabelled, and on the box around the
    joints where both are. PCKh uses its size alone.
    """
    half_side = REFERENCE_PER_HEAD * measure_head(joints, labelled) / HEADBOX_DIAGONAL_FACTOR / math.sqrt(2) / 2
    head = [index for index in (_HEAD_TOP, _NECK) if labelled[index]]
    x, y = _middle(joints[head] if head else joints[labelled])
    return x - half_side, y - half_side, x + half_side, y + half_side


def _middle(points: NDArray[np.float64]) -> tuple[float, float]:
    x, y = (points.min(axis=0) + points.max(axis=0)) / 2
    return float(x), float(y)


def _longer_side(points: NDArray[np.float64]) -> float:
    return float(np.ptp(points, axis=0).max())
