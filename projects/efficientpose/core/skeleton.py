"""The MPII body: keypoints, limbs and left/right pairs, in the order this package uses everywhere.

Keypoints come in MMPose's MPII order. Limbs are the 14 part affinity fields of Groos et al. (2020); each is named by
its distal joint and they are sorted by that joint's index, so a limb is found from its distal joint. The pelvis is
on no limb. Released models use other orders; ``efficientpose.weights`` converts them once.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

KEYPOINT_NAMES: Final = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
)
NUM_KEYPOINTS: Final = len(KEYPOINT_NAMES)


class Limb(NamedTuple):
    """Two keypoint indices; the part affinity vector points from ``proximal`` to ``distal``."""

    proximal: int
    distal: int


def _limb(proximal: str, distal: str) -> Limb:
    return Limb(KEYPOINT_NAMES.index(proximal), KEYPOINT_NAMES.index(distal))


LIMBS: Final = (
    _limb("right_knee", "right_ankle"),
    _limb("right_hip", "right_knee"),
    _limb("thorax", "right_hip"),
    _limb("thorax", "left_hip"),
    _limb("left_hip", "left_knee"),
    _limb("left_knee", "left_ankle"),
    _limb("upper_neck", "thorax"),
    _limb("head_top", "upper_neck"),
    _limb("right_elbow", "right_wrist"),
    _limb("right_shoulder", "right_elbow"),
    _limb("upper_neck", "right_shoulder"),
    _limb("upper_neck", "left_shoulder"),
    _limb("left_shoulder", "left_elbow"),
    _limb("left_elbow", "left_wrist"),
)
NUM_LIMBS: Final = len(LIMBS)

TORSO_DIAGONALS: Final = (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip"))
"""The torso's length is the first of which both ends are labelled, at different places."""


def mirror_name(name: str) -> str:
    """Return the name of the same keypoint on the other side of the body (itself for one on the midline)."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


FLIP_INDICES: Final = tuple(KEYPOINT_NAMES.index(mirror_name(name)) for name in KEYPOINT_NAMES)
"""Keypoint ``i`` of a mirrored image is keypoint ``FLIP_INDICES[i]`` of the image."""

LIMB_FLIP_INDICES: Final = tuple(
    LIMBS.index(Limb(FLIP_INDICES[limb.proximal], FLIP_INDICES[limb.distal])) for limb in LIMBS
)
"""Limb ``k`` of a mirrored image is limb ``LIMB_FLIP_INDICES[k]`` of the image (its x component changes sign)."""


def keypoint_names_of(dataset_meta: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the names of a dataset's keypoints in their order, MPII's by default."""
    numbered = (dataset_meta or {}).get("keypoint_id2name") or dict(enumerate(KEYPOINT_NAMES))
    return tuple(numbered[index] for index in sorted(numbered))


class Skeleton(NamedTuple):
    """Keypoints and limbs of a network: :data:`MPII_SKELETON`, or those it was trained on."""

    keypoint_names: tuple[str, ...]  # K, in the order of the heatmaps
    limbs: tuple[Limb, ...]  # L, in the order of the part affinity fields
    flip_indices: tuple[int, ...]  # K, keypoint i of a mirrored image is keypoint flip_indices[i] of the image

    @property
    def named_limbs(self) -> tuple[tuple[str, str], ...]:
        """The limbs by the names of their two keypoints."""
        return tuple((self.keypoint_names[limb.proximal], self.keypoint_names[limb.distal]) for limb in self.limbs)


MPII_SKELETON: Final = Skeleton(KEYPOINT_NAMES, LIMBS, FLIP_INDICES)  # the published networks'
