"""Which poses are usual in a dataset: mean and covariance of the aligned poses, labelled only in part.

Poses are complex, x + iy, so that a rotation with a scale is one product.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NUM_ROUNDS = 4
TRIMMED = 0.1
"""Share of poses, the most unusual ones, that the later rounds leave out: wrong ones are among them."""

SHRINKAGE = 0.02
MIN_ANCHORS = 3
"""Middles and midline keypoints that a pose needs to be aligned."""

Complex = NDArray[np.complex128]


class PoseModel:
    """A Gaussian over aligned poses.

    Args:
        pairs: Keypoint indices (left, right).
        num_keypoints: K.

    Attributes:
        mean: (K,) complex, x + iy of the mean pose.
        covariance: (2K, 2K), of x of all keypoints and then y.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], *, num_keypoints: int) -> None:
        self.pairs = np.array(pairs)
        self.midline = np.setdiff1d(np.arange(num_keypoints), self.pairs)
        self.mean: Complex = np.zeros(num_keypoints, dtype=complex)
        self.covariance = np.eye(2 * num_keypoints)
        self._whiteners: dict[bytes, NDArray[np.float64]] = {}

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
            if not pattern.any():
                continue
            rows = np.flatnonzero(members.ravel() == number)
            whitened = away[np.ix_(rows, pattern)] @ self._whitener(pattern)
            result[rows] = (whitened**2).sum(axis=1)
        return result

    def _whitener(self, pattern: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the matrix that whitens the known coordinates."""
        key = pattern.tobytes()
        if key not in self._whiteners:
            factor = np.linalg.cholesky(self.covariance[np.ix_(pattern, pattern)])
            self._whiteners[key] = np.linalg.inv(factor).T
        return self._whiteners[key]


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
