"""Find wrong labels by the confident disagreement of a network, the teacher.

LSP Extended was labelled by crowd workers: left and right are swapped on whole limbs, and joints are displaced. A
teacher errs as well, so a label is only doubted where the teacher is sure, and then corrected (swapped sides) or
dropped (a displaced joint). Distances are measured in torsos, see :func:`measure_torso`.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.skeleton import FLIP_INDICES, KEYPOINT_NAMES, TORSO_DIAGONALS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

TORSO_PER_BOX: Final = 0.4
"""Torso's diagonal per longer side of the box around the labelled joints, where the torso is not labelled."""


def _indices(*names: str) -> tuple[int, ...]:
    return tuple(KEYPOINT_NAMES.index(name) for name in names)


LIMB_GROUPS: Final = (
    _indices("right_shoulder", "right_elbow", "right_wrist"),
    _indices("right_hip", "right_knee", "right_ankle"),
)
"""Joints of the right side that are swapped with those of the left together: an arm, a leg."""

MIDPOINTS: Final = (
    (KEYPOINT_NAMES.index("thorax"), _indices("right_shoulder", "left_shoulder")),
    (KEYPOINT_NAMES.index("pelvis"), _indices("right_hip", "left_hip")),
)
"""Joints that may be filled in by the teacher, and the labelled pair that they must lie between."""


@dataclass(frozen=True, kw_only=True)
class CleaningRule:
    """When a label is doubted.

    Attributes:
        swap_score: Teacher's score of both sides' joints from which they speak about the sides of a limb.
        swap_ratio: A limb's sides are swapped if that lowers its joints' summed distance to the teacher to at most this
            share.
        swap_distance: Torsos; and the mean distance after swapping must be at most this.
        drop_score: Teacher's score from which it can contradict a joint.
        drop_distance: Torsos; a joint farther from the teacher's is dropped.
        fill_score: Teacher's score from which thorax and pelvis are filled in.
        fill_distance: Torsos; they must be this close to the middle of the labelled shoulders or hips.
    """

    swap_score: float = 0.3
    swap_ratio: float = 0.4
    swap_distance: float = 0.3
    drop_score: float = 0.5
    drop_distance: float = 0.5
    fill_score: float = 0.4
    fill_distance: float = 0.35


class CleanedLabels(NamedTuple):
    """Joints (16, 2) and which of them are labelled, (16,); what was done, as numbers of joints."""

    joints: Floats
    labelled: Flags
    num_swapped: int
    num_dropped: int
    num_filled: int


def measure_torso(joints: Floats, labelled: Flags) -> float:
    """Return the distance from shoulder to opposite hip, or an estimate from the box around the labelled joints.

    Args:
        joints: (16, 2).
        labelled: (16,), at least one of them.
    """
    for name, other in TORSO_DIAGONALS:
        pair = [KEYPOINT_NAMES.index(name), KEYPOINT_NAMES.index(other)]
        if labelled[pair].all() and (length := float(np.linalg.norm(joints[pair[0]] - joints[pair[1]]))) > 0:
            return length
    return TORSO_PER_BOX * float(np.ptp(joints[labelled], axis=0).max())


def clean_labels(
    joints: Floats, labelled: Flags, teacher: Floats, scores: Floats, *, rule: CleaningRule | None = None
) -> CleanedLabels:
    """Correct, drop and fill in the labels of one person.

    Args:
        joints: (16, 2) in MMPose's MPII order; may hold anything where not labelled.
        labelled: (16,).
        teacher: (16, 2), in the same frame.
        scores: (16,), the teacher's.
        rule: When a label is doubted.
    """
    rule = rule or CleaningRule()
    joints, labelled = joints.copy(), labelled.copy()
    torso = measure_torso(joints, labelled)
    num_swapped = sum(
        _swap_sides(group, joints, labelled, teacher, scores, torso=torso, rule=rule) for group in LIMB_GROUPS
    )
    distances = np.linalg.norm(joints - teacher, axis=-1) / torso
    displaced = labelled & (scores >= rule.drop_score) & (distances > rule.drop_distance)
    labelled &= ~displaced
    num_filled = 0
    for index, pair in MIDPOINTS:
        if labelled[index] or not labelled[list(pair)].all() or scores[index] < rule.fill_score:
            continue
        middle = joints[list(pair)].mean(axis=0)
        if np.linalg.norm(teacher[index] - middle) <= rule.fill_distance * torso:
            joints[index], labelled[index] = teacher[index], True
            num_filled += 1
    return CleanedLabels(joints, labelled, num_swapped, int(displaced.sum()), num_filled)


def _swap_sides(
    group: tuple[int, ...],
    joints: Floats,
    labelled: Flags,
    teacher: Floats,
    scores: Floats,
    *,
    torso: float,
    rule: CleaningRule,
) -> int:
    """Swap a limb's sides in place if the teacher is sure of it; return the number of joints that moved."""
    pairs = [(index, FLIP_INDICES[index]) for index in group]
    sure = [pair for pair in pairs if labelled[list(pair)].all() and (scores[list(pair)] >= rule.swap_score).all()]
    if len(sure) < 2:
        return 0
    own = [index for pair in sure for index in pair]
    other = [FLIP_INDICES[index] for index in own]
    straight = np.linalg.norm(teacher[own] - joints[own], axis=-1).sum() / torso
    crossed = np.linalg.norm(teacher[own] - joints[other], axis=-1).sum() / torso
    if crossed > rule.swap_ratio * straight or crossed > rule.swap_distance * len(own):
        return 0
    right, left = (list(side) for side in zip(*pairs, strict=True))
    joints[right + left] = joints[left + right]
    labelled[right + left] = labelled[left + right]
    return int(labelled[right + left].sum())
