"""Left and right exchanged for a few frames, as networks do in side views: found over time and exchanged back.

Each left/right pair of keypoints is predicted from the frames before by constant velocity. Where the pairs fit their
predictions clearly better when exchanged, the sides change there. First all pairs are judged together (the whole body),
then each by itself (both knees, both wrists, ...).

Frames before and after a change cannot both be right, and the network is right more often than not. So a run of frames
between two changes is exchanged only if it is no longer than ``max_seconds`` and differs from the last longer run (from
the first one at the start; where all are short, from the sides that most frames have). A wrong change, as two legs
that cross at a low frame rate may cause, therefore never turns the rest of a recording around.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import mirror_name
from efficientpose.movement.recording import Floats, person_size, stretches

CLEARLY_BETTER = 0.5  # exchanged sides must lie within half the distance of the others


class SideRepair(NamedTuple):
    """Keypoints with their sides put right.

    Attributes:
        keypoints: (T, K, 2).
        scores: (T, K), which went with their keypoints.
        is_exchanged: (T, K) which keypoints now hold what their partner on the other side held.
    """

    keypoints: Floats
    scores: Floats
    is_exchanged: NDArray[np.bool_]


def side_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the (left, right) indices of names that begin with ``left_`` and ``right_``."""
    names = list(names)
    lefts = [name for name in names if name.startswith("left_") and mirror_name(name) in names]
    return [(names.index(name), names.index(mirror_name(name))) for name in lefts]


def repair_sides(
    keypoints: Floats,
    scores: Floats,
    seconds: Floats,
    names: Sequence[str],
    *,
    max_seconds: float = 0.5,
    max_age: float = 0.2,
    min_gain: float = 0.04,
) -> SideRepair:
    """Exchange left and right back where they were exchanged for a while.

    Args:
        keypoints: (T, K, 2) pixels, NaN where there are none.
        scores: (T, K).
        seconds: (T,) when each frame is shown, rising.
        names: K names; pairs begin with ``left_`` and ``right_``.
        max_seconds: The longest run of frames that is exchanged.
        max_age: How long ago a keypoint may have been seen to predict it, in seconds. After longer, sides are judged
            anew.
        min_gain: How much nearer to its prediction a keypoint must be when exchanged, on average over the pairs, as
            a share of the person's size in the image: closer sides than that cannot be told apart.

    Raises:
        ValueError: If a setting is not positive.
    """
    for name, setting in (("max_seconds", max_seconds), ("max_age", max_age), ("min_gain", min_gain)):
        if not setting > 0:
            raise ValueError(f"{name} must be above 0, got {setting}")
    pairs = side_pairs(names)
    sources = np.tile(np.arange(keypoints.shape[1]), (len(seconds), 1))
    gain = min_gain * person_size(keypoints)
    if not pairs or math.isnan(gain):
        return SideRepair(keypoints.copy(), scores.copy(), np.zeros(scores.shape, dtype=np.bool_))
    for group in [pairs, *([pair] for pair in pairs)]:
        current = np.take_along_axis(keypoints, sources[..., None], axis=1)
        is_exchanged, starts_anew = _follow_sides(current[:, group], seconds, max_age=max_age, min_gain=gain)
        is_wrong = _short_runs(is_exchanged, starts_anew, seconds, max_seconds=max_seconds)
        for left, right in group:
            sources[is_wrong, left], sources[is_wrong, right] = sources[is_wrong, right], sources[is_wrong, left]
    return SideRepair(
        np.take_along_axis(keypoints, sources[..., None], axis=1),
        np.take_along_axis(scores, sources, axis=1),
        sources != np.arange(keypoints.shape[1]),
    )


def _follow_sides(
    points: Floats, seconds: Floats, *, max_age: float, min_gain: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Follow (T, pairs, 2 sides, 2) points through time; ``min_gain`` is in pixels.

    Returns:
        (T,) whether a frame fits the beginning of its chain of frames when exchanged, and (T,) which frames begin a
        chain because nothing before could predict them.
    """
    num_frames = len(points)
    is_exchanged, starts_anew = np.zeros(num_frames, dtype=np.bool_), np.zeros(num_frames, dtype=np.bool_)
    last = np.full(points.shape[1:], np.nan)
    velocity = np.zeros(points.shape[1:])
    last_seconds = np.full(points.shape[1:3], -np.inf)
    is_other = False
    for frame in range(num_frames):
        age = (seconds[frame] - last_seconds)[..., None]
        is_fresh = age <= max_age
        predicted = np.where(is_fresh, last + velocity * np.where(is_fresh, age, 0.0), np.nan)
        if not is_fresh.any():
            starts_anew[frame], is_other = True, False
        current = points[frame, :, ::-1] if is_other else points[frame]
        if _fits_better_exchanged(current, predicted, min_gain):
            is_other = not is_other
            current = current[:, ::-1]
        is_exchanged[frame] = is_other
        is_seen = np.isfinite(current).all(axis=2, keepdims=True)
        step = np.where(is_fresh & is_seen, (current - last) / np.where(is_fresh, age, 1.0), 0.0)
        velocity = np.where(is_seen, step, velocity)
        last = np.where(is_seen, current, last)
        last_seconds[is_seen[..., 0]] = seconds[frame]
    return is_exchanged, starts_anew


def _fits_better_exchanged(current: Floats, predicted: Floats, min_gain: float) -> bool:
    """Compare (pairs, 2, 2) points with predictions of the same shape, over pairs that both ways can be measured in."""
    kept = np.hypot(*np.moveaxis(current - predicted, 2, 0))
    exchanged = np.hypot(*np.moveaxis(current[:, ::-1] - predicted, 2, 0))
    num_kept, num_exchanged = np.isfinite(kept).sum(axis=1), np.isfinite(exchanged).sum(axis=1)
    is_usable = (num_kept == num_exchanged) & (num_kept > 0)
    if not is_usable.any():
        return False
    kept_distance, exchanged_distance = np.nanmean(kept[is_usable]), np.nanmean(exchanged[is_usable])
    is_clear = exchanged_distance < CLEARLY_BETTER * kept_distance
    return bool(is_clear and kept_distance - exchanged_distance > min_gain)


def _short_runs(
    is_exchanged: NDArray[np.bool_], starts_anew: NDArray[np.bool_], seconds: Floats, *, max_seconds: float
) -> NDArray[np.bool_]:
    """Return the (T,) frames of short runs that differ from the long ones, in each chain of frames by itself."""
    is_wrong = np.zeros(len(seconds), dtype=np.bool_)
    interval = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    everywhere = np.ones(len(seconds), dtype=np.bool_)
    for chain in stretches(everywhere, starts_anew):
        labels, times = is_exchanged[chain], seconds[chain]
        runs = stretches(everywhere[chain], np.diff(labels, prepend=labels[0]))
        is_long = [times[run.stop - 1] - times[run.start] + interval > max_seconds * (1 + 1e-9) for run in runs]
        right = bool(labels[runs[is_long.index(True)].start]) if any(is_long) else bool(labels.mean() > 0.5)
        for run, is_run_long in zip(runs, is_long, strict=True):
            right = bool(labels[run.start]) if is_run_long else right
            is_wrong[chain][run] = labels[run] != right
    return is_wrong
