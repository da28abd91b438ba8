"""How many people and joints of a scene were found, and how much of what was found is true."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.runtime.assignment import match_best
from efficientpose.runtime.similarity import box_areas, keypoint_spreads, oks

Floats = NDArray[np.floating]

MIN_OKS: Final = 0.5
"""From here on somebody was found, as for COCO's AP50."""

MAX_JOINT_DISTANCE: Final = 0.1
"""A joint is right within this fraction of the longer side of the person's box (Yang and Ramanan's PCK)."""


class PeopleCounts(NamedTuple):
    """Of one scene, or of several added up.

    Attributes:
        true_people: Who is there.
        found_people: Who was found, rightly or not.
        right_people: Pairs of both.
        true_joints: Labelled joints.
        found_joints: Joints of those found; of a pair only joints that are labelled count, as nothing else is known.
        right_joints: Joints of pairs that lie where they should.
    """

    true_people: int = 0
    found_people: int = 0
    right_people: int = 0
    true_joints: int = 0
    found_joints: int = 0
    right_joints: int = 0

    def plus(self, other: "PeopleCounts") -> "PeopleCounts":
        """Return the sum."""
        return PeopleCounts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def scores(self) -> dict[str, float]:
        """Precision and recall of people and joints, percent; NaN where there is nothing to count."""
        return {
            "people precision": _percent(self.right_people, self.found_people),
            "people recall": _percent(self.right_people, self.true_people),
            "joint precision": _percent(self.right_joints, self.found_joints),
            "joint recall": _percent(self.right_joints, self.true_joints),
        }


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else float("nan")


def count_people(truth: Floats, found: Floats, *, boxes: Floats) -> PeopleCounts:
    """Compare one scene with what was found in it.

    People are paired one to one so that the sum of their OKS is the highest; a pair needs :data:`MIN_OKS`. A labelled
    keypoint that was not found adds 0 to it, as for COCO. Keypoints that no one in the scene has a label of are left
    out.

    Args:
        truth: (N, K, 2) x, y in pixels of the photograph; NaN for a keypoint without label.
        found: (M, K, 2), the same; NaN for a keypoint that was not found.
        boxes: (N, 4) x1, y1, x2, y2 of the true people, the same.
    """
    is_judged = np.isfinite(truth).all(axis=2).any(axis=0) if len(truth) else np.zeros(found.shape[1], bool)
    is_labelled, is_found = (np.isfinite(each).all(axis=2) & is_judged for each in (truth, found))
    found = np.where(is_found[..., None], found, np.nan)
    alike = oks(truth, found, areas=box_areas(boxes)[:, None], spreads=keypoint_spreads(), min_common=1)
    common = is_labelled.astype(float) @ is_found.T
    alike = alike * common / np.maximum(is_labelled.sum(axis=1, keepdims=True), 1)
    pairs = match_best(np.where(alike >= MIN_OKS, alike, 0))
    is_alone = np.ones(len(found), bool)
    is_alone[pairs[:, 1]] = False
    found_joints, right_joints = int(is_found[is_alone].sum()), 0
    reach = MAX_JOINT_DISTANCE * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    for mine, theirs in pairs:
        is_common = is_labelled[mine] & is_found[theirs]
        distances = np.linalg.norm(truth[mine, is_common] - found[theirs, is_common], axis=1)
        found_joints += int(is_common.sum())
        right_joints += int((distances <= reach[mine]).sum())
    return PeopleCounts(
        true_people=len(truth),
        found_people=int(is_found.any(axis=1).sum()),
        right_people=len(pairs),
        true_joints=int(is_labelled.sum()),
        found_joints=found_joints,
        right_joints=right_joints,
    )
