"""Keypoints and limbs of the released networks, and their permutation to ours.

Measured on the released models: part affinity channels come in (x, y) pairs, from the first joint to the second.
"""

from typing import Final

from efficientpose.skeleton import KEYPOINT_NAMES, LIMBS, Limb

RELEASED_KEYPOINT_NAMES: Final = (
    "head_top",
    "upper_neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
)
RELEASED_LIMB_NAMES: Final = (
    ("head_top", "upper_neck"),
    ("upper_neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("upper_neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("upper_neck", "thorax"),
    ("thorax", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("thorax", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
)


def _released_limbs() -> tuple[Limb, ...]:
    index = KEYPOINT_NAMES.index
    return tuple(Limb(index(proximal), index(distal)) for proximal, distal in RELEASED_LIMB_NAMES)


KEYPOINT_ORDER: Final = tuple(RELEASED_KEYPOINT_NAMES.index(name) for name in KEYPOINT_NAMES)
"""Our keypoint ``i`` is the released keypoint ``KEYPOINT_ORDER[i]``."""

LIMB_ORDER: Final = tuple(_released_limbs().index(limb) for limb in LIMBS)
"""Our limb ``k`` is the released limb ``LIMB_ORDER[k]``."""

PAF_CHANNEL_ORDER: Final = tuple(2 * limb + component for limb in LIMB_ORDER for component in (0, 1))
"""Our part affinity channel ``c`` is the released channel ``PAF_CHANNEL_ORDER[c]``."""
