"""Keypoints that jump away for a moment: Hampel's rule, a median and a robust deviation, for points that move.

The frames around a frame tell where a keypoint should be: each pair of frames, k before and k after, gives a place on
the straight line between its two, and the median of these places is taken, of x and of y. Steady movement thus has no
residual, and a jump does not move the median as long as most pairs are free of it. The spread is the median of the
residuals' lengths in three such windows around the frame (a jump taints those of its neighbours), divided by
√(2 ln 2) ≈ 1.1774, which makes it the standard deviation σ of normally distributed residuals. A keypoint is an outlier
if it lies further from its place than ``max_deviations`` σ and than ``min_distance`` of the person's size. For normal
noise in the plane the first alone happens with probability exp(−n²/2): 4 in a million at n = 5. Since a jump also
spoils the places of its neighbours, only the furthest of each window is taken out at a time, and the rest is judged
again without it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.recording import Floats, person_size

MEDIAN_OF_RAYLEIGH = math.sqrt(2 * math.log(2))
FEWEST_PAIRS = 3  # of frames around one: of two that differ, none can be said to be wrong
FEWEST_RESIDUALS = 5
SPREAD_WINDOWS = 3  # how much longer the window is over which the spread is taken


def find_outliers(
    keypoints: Floats,
    seconds: Floats,
    *,
    window: float = 0.4,
    max_deviations: float = 5.0,
    min_distance: float = 0.02,
) -> NDArray[np.bool_]:
    """Find keypoints that lie far from where they are just before and after.

    Args:
        keypoints: (T, K, 2) pixels, NaN where there are none.
        seconds: (T,) when each frame is shown, rising.
        window: Length of the window in seconds, half of it on each side, at least three frames on each side. A jump
            must be shorter than about a quarter of it to be found. A keypoint that is seen in fewer than three pairs of
            frames around is not judged, such as those of the first and last three frames.
        max_deviations: How many robust standard deviations are still believed.
        min_distance: What is always believed, as a share of the person's size in the image (the diagonal of the region
            that the keypoints span), so that a person who stands still has no outliers of half a pixel.

    Returns:
        (T, K) whether a keypoint is an outlier; False where there is none.
    """
    is_outlier = np.zeros(keypoints.shape[:2], dtype=np.bool_)
    smallest = min_distance * person_size(keypoints)
    if len(seconds) < 2 or math.isnan(smallest):
        return is_outlier
    reach = max(window / 2, FEWEST_PAIRS * float(np.median(np.diff(seconds))))
    near, wide = _windows(seconds, reach), _windows(seconds, SPREAD_WINDOWS * reach)
    for keypoint in range(keypoints.shape[1]):
        points = keypoints[:, keypoint].copy()
        while True:
            residuals = np.hypot(*(points - _expected(points, seconds, reach)).T)
            limits = np.maximum(max_deviations * _spread(residuals, wide), smallest)
            excess = np.where(residuals > limits, residuals, 0.0)
            is_worst = (excess > 0) & (excess >= near.gather(excess, missing=0.0).max(axis=1))  # (T,)
            if not is_worst.any():
                break
            is_outlier[is_worst, keypoint] = True
            points[is_worst] = np.nan
    return is_outlier


class _Windows(NamedTuple):
    """(T, W) frames around each frame, and which of them lie within the window."""

    frames: NDArray[np.int64]
    is_inside: NDArray[np.bool_]

    def gather(self, values: Floats, *, missing: float) -> Floats:
        """Return (T, W) of (T,) values."""
        return np.where(self.is_inside, values[self.frames], missing)


def _spread(residuals: Floats, windows: _Windows) -> Floats:
    """Return (T,) robust standard deviations; NaN where there are too few residuals."""
    around = windows.gather(residuals, missing=np.nan)
    has_enough = np.isfinite(around).sum(axis=1) >= FEWEST_RESIDUALS
    return np.where(has_enough, _median(around[..., None])[:, 0] / MEDIAN_OF_RAYLEIGH, np.nan)


def _expected(points: Floats, seconds: Floats, reach: float) -> Floats:
    """Return the (T, 2) median of where the pairs of frames within ``reach`` seconds place each point."""
    num_frames = len(points)
    reach = reach + _tolerance(seconds)
    places = []
    for k in range(1, (num_frames + 1) // 2):
        before, at, after = slice(0, -2 * k), slice(k, -k), slice(2 * k, None)
        past, future = seconds[at] - seconds[before], seconds[after] - seconds[at]
        is_near = np.maximum(past, future) <= reach
        if not is_near.any():
            break
        share = (past / (past + future))[:, None]
        place = np.full(points.shape, np.nan)
        place[at] = np.where(is_near[:, None], (1 - share) * points[before] + share * points[after], np.nan)
        places.append(place)
    if len(places) < FEWEST_PAIRS:
        return np.full(points.shape, np.nan)
    stacked = np.stack(places, axis=1)
    has_enough = np.isfinite(stacked).all(axis=2).sum(axis=1) >= FEWEST_PAIRS
    return np.where(has_enough[:, None], _median(stacked), np.nan)


def _tolerance(seconds: Floats) -> float:
    """Return by how much two times may differ through rounding alone."""
    return 1e-9 * max(1.0, float(np.abs(seconds).max()))


def _windows(seconds: Floats, reach: float) -> _Windows:
    """Return the frames within ``reach`` seconds of each frame."""
    reach = reach + _tolerance(seconds)
    first = np.searchsorted(seconds, seconds - reach)
    last = np.searchsorted(seconds, seconds + reach, side="right") - 1
    frames = first[:, None] + np.arange(int((last - first).max()) + 1)
    return _Windows(np.minimum(frames, len(seconds) - 1), frames <= last[:, None])


def _median(values: Floats) -> Floats:
    """Return the (T, D) median of (T, W, D) values without the missing ones, NaN where all are missing."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[1] - 1), axis=1)
    return (0.5 * (low + high))[:, 0]
