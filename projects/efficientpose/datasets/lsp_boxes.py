"""The boxes that MPII annotations need and LSP does not have: of the person, and of the head."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.crops import PERSON_PADDING
from efficientpose.core.skeleton import KEYPOINT_NAMES, TORSO_DIAGONALS

REGION_PER_BOX: Final = 1.4
"""Side of the square that the network sees, per longer side of the box around the labelled joints."""

PIXELS_PER_SCALE: Final = 200
CENTRE_SHIFT_PER_SCALE: Final = 15
"""MMPose's MPII dataset makes a box of side 200 · scale and moves its centre down by 15 · scale."""

HEADBOX_DIAGONAL_FACTOR: Final = 0.6
"""PCKh's reference length per diagonal of the head box (Andriluka et al., 2014)."""

REFERENCE_PER_HEAD: Final = 0.75
"""PCKh's reference length per distance from head top to neck: MPII's own proportion.

Its head joints lie on its head boxes: the ratio is 0.750 for the 5th to 95th percentile of the 2,958 people of MPII's
validation set. LSP has only the joints.
"""

HEAD_PER_TORSO: Final = 0.43
"""Distance from head top to neck per diagonal of the torso: median of the 4,796 people of LSPET's training part (9,000
photographs) of whom head top, neck, left shoulder and right hip are labelled. Half of them are at 0.35 to 0.54.
"""

HEAD_PER_BOX: Final = 0.19
"""The same distance per longer side of the box around the joints: median of 6,369 people of the training part. Half of
them are at 0.15 to 0.24.
"""

_HEAD_TOP: Final = KEYPOINT_NAMES.index("head_top")
_NECK: Final = KEYPOINT_NAMES.index("upper_neck")
_TORSO: Final = tuple((KEYPOINT_NAMES.index(a), KEYPOINT_NAMES.index(b)) for a, b in TORSO_DIAGONALS)
_MIN_LENGTH: Final = 1.0


class BoundingBox(NamedTuple):
    """A box by its centre x, y and its longer side, pixels."""

    centre: tuple[float, float]
    longer_side: float


class PersonFrame(NamedTuple):
    """A person's place as MPII annotates it: ``centre`` (x, y), and ``scale``, its height over 200 px."""

    centre: tuple[float, float]
    scale: float


def enclose(points: NDArray[np.float64]) -> BoundingBox:
    """Return the box around points (N, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return BoundingBox((float(x), float(y)), float((high - low).max()))


def frame_person(box: BoundingBox) -> PersonFrame:
    """Return the centre and scale from which the square that the network sees becomes 1.4 times the box, around it.

    That is, after what MMPose's MPII dataset does to both and ``PersonCenterScale``'s padding of 1.25.
    """
    scale = REGION_PER_BOX * box.longer_side / (PERSON_PADDING * PIXELS_PER_SCALE)
    x, y = box.centre
    return PersonFrame((x, y - CENTRE_SHIFT_PER_SCALE * scale), scale)


def measure_head(joints: NDArray[np.float64], labelled: NDArray[np.bool_]) -> float:
    """Return the distance from head top to neck, in pixels.

    Where one of them is unlabelled, or they are less than a pixel apart, it is estimated from the torso's diagonal
    (left shoulder to right hip, else right shoulder to left hip), and where that cannot be had either, from the box
    around the joints.

    Args:
        joints: (16, 2).
        labelled: (16,), at least two of them, at different places.
    """
    candidates = [(_HEAD_TOP, _NECK, 1.0), *((a, b, HEAD_PER_TORSO) for a, b in _TORSO)]
    for a, b, factor in candidates:
        if labelled[a] and labelled[b]:
            length = float(np.linalg.norm(joints[a] - joints[b]))
            if length >= _MIN_LENGTH:
                return factor * length
    return HEAD_PER_BOX * enclose(joints[labelled]).longer_side


def place_head_box(joints: NDArray[np.float64], labelled: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Return the corners x1, y1, x2, y2 of a square head box, whose diagonal gives MPII's reference length.

    It is centred between head top and neck; on one of them where the other is unlabelled, and on the box around the
    joints where both are. PCKh uses the size only.

    Args:
        joints: (16, 2).
        labelled: (16,), at least two of them, at different places.
    """
    diagonal = REFERENCE_PER_HEAD * measure_head(joints, labelled) / HEADBOX_DIAGONAL_FACTOR
    half_side = diagonal / math.sqrt(2) / 2
    head = [index for index in (_HEAD_TOP, _NECK) if labelled[index]]
    x, y = enclose(joints[head] if head else joints[labelled]).centre
    return x - half_side, y - half_side, x + half_side, y + half_side
