"""Left and right that are probably exchanged in an annotation: a rule, not a proof.

Poses are aligned by what an exchange does not change (the middles of the left/right pairs and the keypoints on the
midline), mirrored where that fits better, since people face the camera or turn their back to it. Mean and covariance of
the aligned poses say which are usual. For each pose, every exchange that annotators make is tried: one pair, or all
beyond a joint, such as knees and ankles. If one makes the pose much more usual, the sides are suspicious.

All sides exchanged together look like the same person seen from behind, which coordinates cannot tell. Measured on
4,000 synthetic people, 400 of them with exchanged wrists, elbows, knees, ankles, hips, shoulders, or half or whole arms
or legs: 71% were found, and 98.6% of those named were among them (1.1 of 1,000 others were named). Whole arms and legs
are mostly found (93% and 97%), elbows 81%, wrists 73%; ankles (43%) and lower legs (29%) mostly not, as crossed legs
are usual.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import Finding, LabelledDataset
from dataset_checker.pose_model import PoseModel, fit_pose_model
from efficientpose.core.skeleton import mirror_name

MIN_PEOPLE = 50
"""Fewer people say nothing about what is usual."""

MIN_GAIN = 12.0
"""How much the squared Mahalanobis distance must fall."""

MIN_RATIO = 1.5
"""How many times larger the distance as annotated must be than that of the exchanged pose."""

NUM_REPAIRS = 2
"""How often the model is fitted anew with the suspicious poses exchanged: an annotator's habit would hide in it."""


class Exchange(NamedTuple):
    """The best exchange of sides for a person.

    Attributes:
        pairs: The pairs of keypoint indices (left, right) to exchange; exchanging all others has the same effect.
        before: Squared distance from the mean pose as annotated.
        after: Squared distance with the pairs exchanged.
    """

    pairs: tuple[tuple[int, int], ...]
    before: float
    after: float

    @property
    def is_suspicious(self) -> bool:
        """Whether the exchange makes the pose much more usual."""
        return self.before - self.after > MIN_GAIN and self.before > MIN_RATIO * self.after


def find_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the keypoint indices (left, right) of names that begin with ``left_`` and ``right_``."""
    names = list(names)
    return [
        (names.index(name), names.index(mirror_name(name)))
        for name in names
        if name.startswith("left_") and mirror_name(name) in names
    ]


def list_exchanges(
    pairs: Sequence[tuple[int, int]], limbs: Sequence[tuple[int, int]]
) -> list[tuple[tuple[int, int], ...]]:
    """List the exchanges to try: each pair, and all connected pairs on either side of a limb; smaller ones first.

    All pairs at once are not tried: coordinates cannot tell.
    """
    joined = {(a, b) for a, b in limbs} | {(b, a) for a, b in limbs}
    edges = [
        (first, second)
        for first in range(len(pairs))
        for second in range(first)
        if any((pairs[first][side], pairs[second][side]) in joined for side in (0, 1))
    ]
    sets = {frozenset((index,)) for index in range(len(pairs))}
    sets |= {_reach(start, edges) for start in range(len(pairs))}
    for edge in edges:
        others = [each for each in edges if each != edge]
        sets |= {_reach(edge[0], others), _reach(edge[1], others)}
    kept = [each for each in sets if len(each) < len(pairs)]
    return [tuple(pairs[index] for index in sorted(each)) for each in sorted(kept, key=lambda s: (len(s), sorted(s)))]


def _reach(start: int, edges: Sequence[tuple[int, int]]) -> frozenset[int]:
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        near = {b for a, b in edges if a == here} | {a for a, b in edges if b == here}
        waiting += near - found
        found |= near
    return frozenset(found)


def find_exchanges(
    keypoints: NDArray[np.float64], names: Sequence[str], limbs: Sequence[tuple[int, int]]
) -> list[Exchange | None]:
    """Find the best exchange for each pose (N, K, 2), suspicious or not; None where nothing can be tried."""
    pairs = find_pairs(names)
    if len(pairs) < 2 or len(keypoints) < MIN_PEOPLE:
        return [None] * len(keypoints)
    tried = list_exchanges(pairs, limbs)
    found = _compare(keypoints, tried, model=fit_pose_model(keypoints, pairs))
    for _ in range(NUM_REPAIRS):
        repaired = keypoints.copy()
        for index, best in enumerate(found):
            if best is not None and best.is_suspicious:
                repaired[index] = exchange(keypoints[index : index + 1], best.pairs)[0]
        found = _compare(keypoints, tried, model=fit_pose_model(repaired, pairs))
    return found


def _compare(
    keypoints: NDArray[np.float64], tried: Sequence[tuple[tuple[int, int], ...]], *, model: PoseModel
) -> list[Exchange | None]:
    """Return the exchange after which each pose is the most usual."""
    found: list[Exchange | None] = [None] * len(keypoints)
    before = model.distances(keypoints)
    for exchanged in tried:
        after = model.distances(exchange(keypoints, exchanged))
        known = np.isfinite(keypoints[:, [joint for pair in exchanged for joint in pair]]).all(axis=(1, 2))
        for index in np.flatnonzero(known & np.isfinite(before) & np.isfinite(after)):
            best = found[index]
            if best is None or after[index] < best.after - 1e-9:
                found[index] = Exchange(exchanged, float(before[index]), float(after[index]))
    return found


def exchange(keypoints: NDArray[np.float64], pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return poses (N, K, 2) with the two keypoints of some pairs exchanged."""
    order = np.arange(keypoints.shape[1])
    for left, right in pairs:
        order[[left, right]] = right, left
    return keypoints[:, order]


def check_sides(dataset: LabelledDataset) -> Iterator[Finding]:
    """Yield people whose sides are suspicious."""
    keypoints = np.array([person.keypoints for person in dataset.people])  # (N, K, 2)
    found = find_exchanges(keypoints, dataset.keypoint_names, dataset.limbs)
    for person, best in zip(dataset.people, found, strict=True):
        if best is not None and best.is_suspicious:
            joints = ", ".join(dataset.keypoint_names[left].removeprefix("left_") for left, _ in best.pairs)
            detail = (
                f"left and right {joints}, or all others: exchanged, the pose is {np.sqrt(best.after):.1f} from the "
                f"usual, and {np.sqrt(best.before):.1f} as annotated"
            )
            yield dataset.finding("swapped_sides", detail, image=person.image, annotation=person.annotation)
