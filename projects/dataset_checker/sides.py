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
from efficientpose.core.skeleton import mirror_name

MIN_PEOPLE = 50  # fewer people say nothing about what is usual
MIN_GAIN = 12.0  # how much the squared Mahalanobis distance must fall
MIN_RATIO = 1.5  # how many times larger the distance as annotated must be than that of the exchanged pose

NUM_REPAIRS = 2
"""How often the model is fitted anew with the suspicious poses exchanged: an annotator's habit would hide in it."""

NUM_ROUNDS = 4
TRIMMED = 0.1  # share of poses, the most unusual ones, that the later rounds leave out: wrong ones are among them
SHRINKAGE = 0.02
MIN_ANCHORS = 3  # middles and midline keypoints that a pose needs to be aligned

Complex = NDArray[np.complex128]  # points as x + iy, so that a rotation with a scale is one product


class PoseModel:
    """A Gaussian over aligned poses; ``pairs`` are keypoint indices (left, right)."""

    def __init__(self, pairs: Sequence[tuple[int, int]], *, num_keypoints: int) -> None:
        self.pairs = np.array(pairs)
        self.midline = np.setdiff1d(np.arange(num_keypoints), self.pairs)
        self.mean: Complex = np.zeros(num_keypoints, dtype=complex)
        self.covariance = np.eye(2 * num_keypoints)
        self._whiteners: dict[bytes, NDArray[np.float64]] = {}  # by which coordinates are known

    def anchors(self, poses: Complex) -> Complex:
        """Return the points that an exchange of sides does not move (N, A): middles of pairs, and the midline."""
        middles = (poses[:, self.pairs[:, 0]] + poses[:, self.pairs[:, 1]]) / 2
        return np.concatenate((middles, poses[:, self.midline]), axis=1)

    def align(self, poses: Complex) -> Complex:
        """Move, rotate and scale poses (N, K) so that their anchors fit the mean's; NaN where that is impossible."""
        own, wanted = self.anchors(poses), self.anchors(self.mean[None])  # (N, A) and (1, A)
        known = np.isfinite(own)
        count = np.maximum(known.sum(axis=1, keepdims=True), 1)
        own_middle, wanted_middle = (
            np.where(known, each, 0).sum(axis=1, keepdims=True) / count for each in (own, wanted)
        )
        own = np.where(known, own - own_middle, 0)
        wanted = np.where(known, wanted - wanted_middle, 0)
        energy = (abs(own) ** 2).sum(axis=1, keepdims=True)
        usable = (known.sum(axis=1, keepdims=True) >= MIN_ANCHORS) & (energy > 0)
        product = (own.conj() * wanted).sum(axis=1, keepdims=True)
        # The person's own size, not the least squares' scale, which would shrink poses that do not fit.
        scale = np.sqrt((abs(wanted) ** 2).sum(axis=1, keepdims=True) / np.where(usable, energy, 1))
        turn = np.where(abs(product) > 0, product / np.maximum(abs(product), 1e-300), 1)
        return np.where(usable, (poses - own_middle) * scale * turn + wanted_middle, np.nan)

    def start(self, poses: Complex) -> None:
        """Take the mean of poses that are moved and scaled, but not rotated."""
        anchors = self.anchors(poses)
        middle = np.nanmean(anchors, axis=1, keepdims=True)
        scale = np.sqrt(np.nanmean(abs(anchors - middle) ** 2, axis=1, keepdims=True))
        scale[~(scale > 0)] = np.nan
        self.mean = _mean_known(self.face((poses - middle) / scale))

    def face(self, poses: Complex) -> Complex:
        """Mirror poses (N, K) whose left side lies to the left more than to the right in the image."""
        lateral = np.nansum((poses[:, self.pairs[:, 0]] - poses[:, self.pairs[:, 1]]).real, axis=1)
        return np.where((lateral < 0)[:, None], mirror(poses), poses)

    def fit(self, poses: Complex) -> None:
        """Take mean and covariance from aligned poses (N, K)."""
        self.mean = _mean_known(poses)
        away = flatten(poses - self.mean)
        known = np.isfinite(away)
        away = np.where(known, away, 0)
        together = known.astype(float).T @ known
        covariance = away.T @ away / np.maximum(together, 1)
        spread = np.trace(covariance) / len(covariance)
        values, vectors = np.linalg.eigh(covariance)  # pairwise known, so perhaps not positive definite
        values = np.maximum(values, 0) + SHRINKAGE * spread
        self.covariance = (vectors * values) @ vectors.T
        self._whiteners.clear()

    def distances(self, keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return squared Mahalanobis distances (N,) of poses (N, K, 2), mirrored if that is nearer; NaN unknown."""
        poses = keypoints[..., 0] + 1j * keypoints[..., 1]
        return np.fmin(*(self._squared_distances(self.align(each)) for each in (poses, mirror(poses))))

    def _squared_distances(self, aligned: Complex) -> NDArray[np.float64]:
        away = flatten(aligned - self.mean)
        known = np.isfinite(away)
        result = np.full(len(away), np.nan)
        patterns, members = np.unique(known, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(members.ravel() == number)
            key = pattern.tobytes()
            if pattern.any():
                if key not in self._whiteners:
                    factor = np.linalg.cholesky(self.covariance[np.ix_(pattern, pattern)])
                    self._whiteners[key] = np.linalg.inv(factor).T
                result[rows] = ((away[np.ix_(rows, pattern)] @ self._whiteners[key]) ** 2).sum(axis=1)
        return result


def mirror(poses: Complex) -> Complex:
    """Mirror poses in the image; alignment puts them back in place."""
    return -poses.conj()


def flatten(poses: Complex) -> NDArray[np.float64]:
    """Return (N, 2K): x of all keypoints, then y."""
    return np.concatenate((poses.real, poses.imag), axis=1)


def _mean_known(values: Complex) -> Complex:
    """Return the mean over the first axis of what is not NaN, NaN where all are."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def fit_pose_model(keypoints: NDArray[np.float64], pairs: Sequence[tuple[int, int]]) -> PoseModel:
    """Learn which poses (N, K, 2) are usual, from themselves."""
    poses = keypoints[..., 0] + 1j * keypoints[..., 1]
    model = PoseModel(pairs, num_keypoints=keypoints.shape[1])
    has_anchors = np.isfinite(model.anchors(poses)).sum(axis=1) >= MIN_ANCHORS
    poses = poses[has_anchors]
    model.start(poses)
    kept = poses
    for _ in range(NUM_ROUNDS):
        model.fit(model.face(model.align(kept)))
        distances = model.distances(np.stack((poses.real, poses.imag), axis=2))
        per_keypoint = distances / np.maximum(np.isfinite(poses).sum(axis=1), 1)
        kept = poses[per_keypoint <= np.nanquantile(per_keypoint, 1 - TRIMMED)]
    return model


class Exchange(NamedTuple):
    """The best exchange of sides for a person."""

    # the pairs of keypoint indices (left, right) to exchange; exchanging all others has the same effect
    pairs: tuple[tuple[int, int], ...]
    before: float  # squared distance from the mean pose as annotated
    after: float  # squared distance with the pairs exchanged

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
