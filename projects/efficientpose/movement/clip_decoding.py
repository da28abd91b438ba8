"""Decoding over time: choose among the peaks of every frame for a whole clip, both legs (or both arms) together.

A heatmap often has more than one peak, and in a side view the network exchanges left and right several times a minute.
A single frame cannot tell which peak is right; the frames around it can. For each pair of limb chains (both legs, both
arms) a frame has many *states*: each keypoint of the left and of the right chain is at one of the peaks, or not
visible. The states of the clip are chosen by dynamic programming (Viterbi's algorithm over a beam) so that the sum of
these costs, all dimensionless, is smallest:

- peaks: 1 − score of the chosen peak, and a cost for each keypoint that is left out;
- sides: the score in the own side's heatmap against the score in the other side's;
- limb lengths: a limb that is longer than the person's own, learnt from the clip, or much shorter;
- motion: the squared distance from where the keypoint would be at constant velocity, up to a limit, so that a change of
  sides in mid-air costs more than a few frames in which the network is wrong;
- both sides at one peak, which explains one peak and not two: legs share a peak only where one hides the other.

The motion term needs the velocity, which is that of the best path to each state; so this is second-order motion at the
cost of a first-order search. Pixels are those of the image; nothing depends on their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from efficientpose.core.similarity import boxes_around
from efficientpose.movement.recording import Floats, stretches

CHAINS: Final = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
"""Keypoints of a limb chain from the trunk outwards; each exists with ``left_`` and ``right_``."""

SIZE_WINDOW: Final = 4.0
"""Seconds over which the person's size in the image is measured."""

MAX_AGE: Final = 3
"""Frames after which the velocity of a keypoint that was not seen says nothing more."""

UNSURE_WINDOW: Final = 0.5
"""Seconds over which the network's opinion on left and right is averaged."""

UNSURE_BELOW: Final = 0.05
"""Mean side evidence below which left and right are unsure."""

MAX_SPANS: Final = 8
"""Spans of unsure frames that are named."""


@dataclass(frozen=True, kw_only=True)
class DecodingRule:
    """What the choice costs; lengths are shares of the person's size in the image.

    Attributes:
        missing: Cost of a keypoint that is left out.
        side: Weight of the difference between the scores in the own and in the other side's heatmap.
        shared: Cost of two keypoints at one peak, beside the peak's score, which counts once.
        length: Weight of the limb lengths.
        noise: Standard deviation of a keypoint's position.
        acceleration: Standard deviation of a keypoint's acceleration, sizes per second².
        largest_jump: Limit of the motion cost of one keypoint.
        merged: Peaks of both sides closer than this are one.
        num_limbs: States of one chain that are looked at in each frame.
        num_states: States of both chains that are kept in each frame.
    """

    missing: float = 1.5
    side: float = 0.5
    shared: float = 0.25
    length: float = 1.0
    noise: float = 0.03
    acceleration: float = 8.0
    largest_jump: float = 6.0
    merged: float = 0.03
    num_limbs: int = 16
    num_states: int = 32


class DecodedClip(NamedTuple):
    """Keypoints chosen over a clip of T frames.

    Attributes:
        keypoints: (T, K, 2) float64 x, y in the pixels of the peaks; NaN where a keypoint is not visible.
        scores: (T, K) float64; 0 where a keypoint is not visible.
        side_evidence: (T, number of chains) float64, mean over the keypoints of a chain of own minus other side's
            score; below 0 where the network says that left and right are the other way round.
    """

    keypoints: Floats
    scores: Floats
    side_evidence: Floats


def decode_clip(
    peaks: Floats, seconds: Floats, names: Sequence[str], *, rule: DecodingRule = DecodingRule()
) -> DecodedClip:
    """Choose the keypoints of one person over a clip.

    Keypoints that are on no chain, such as the head, keep their highest peak.

    Args:
        peaks: (T, K, M, 3) x, y and score of up to M peaks of each heatmap, highest first; NaN where there are fewer.
        seconds: (T,) time of each frame, rising.
        names: K keypoint names.
        rule: What the choice costs.

    Raises:
        ValueError: If the shapes do not fit together.
    """
    if peaks.ndim != 4 or peaks.shape[:2] != (len(seconds), len(names)) or peaks.shape[3] != 3:
        raise ValueError(f"peaks must be ({len(seconds)} frames, {len(names)} keypoints, M, 3), got {peaks.shape}")
    keypoints, scores = peaks[:, :, 0, :2].copy(), np.nan_to_num(peaks[:, :, 0, 2])
    evidence = []
    size = person_sizes(keypoints, seconds)
    if not len(seconds) or not np.isfinite(size).all():  # nobody is seen in the whole clip
        return DecodedClip(keypoints, scores, np.zeros((len(seconds), 0)))
    for chain in CHAINS:
        sides = [[f"{side}_{name}" for name in chain] for side in ("left", "right")]
        if not {*sides[0], *sides[1]} <= set(names):
            continue
        indices = np.array([[names.index(name) for name in side] for side in sides])  # (2, J)
        frames = _pool_peaks(peaks[:, indices], size, rule=rule)
        points, heights, difference = _choose(frames, seconds, size, rule=rule)
        keypoints[:, indices], scores[:, indices] = points, heights
        evidence.append(difference)
    return DecodedClip(keypoints, scores, np.stack(evidence, axis=1) if evidence else np.zeros((len(seconds), 0)))


def person_sizes(keypoints: Floats, seconds: Floats) -> Floats:
    """Return the person's size in the image in each frame, (T,) pixels: the height of a standing person.

    It is the 90th percentile, over :data:`SIZE_WINDOW` seconds around the frame, of the longer side of the box around
    the keypoints (T, K, 2). NaN only where no keypoint is seen in the whole clip.
    """
    boxes = boxes_around(keypoints)  # (T, 4)
    extent = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    rolling = pd.Series(extent).rolling(_count_frames(SIZE_WINDOW, seconds), center=True, min_periods=1).quantile(0.9)
    sizes: Floats = rolling.ffill().bfill().to_numpy()
    return np.maximum(sizes, 1.0)


def _count_frames(duration: float, seconds: Floats) -> int:
    """Return how many frames there are in so many seconds, 1 at least."""
    return max(1, round(duration / float(np.median(np.diff(seconds))))) if len(seconds) > 1 else 1


class _Frames(NamedTuple):
    """Peaks that either side may take, P for each of the J keypoints of a chain.

    Attributes:
        points: (T, 2, J, P, 2) as the left and as the right chain takes them: where both heatmaps have a peak, each its
            own; NaN where there are fewer peaks.
        scores: (T, J, P, 2) in the left and in the right heatmap; 0 where that heatmap has no peak there.
    """

    points: Floats
    scores: Floats


def _pool_peaks(peaks: Floats, size: Floats, *, rule: DecodingRule) -> _Frames:
    """Join the peaks of the left and of the right heatmap, (T, 2, J, M, 3); near ones are one peak with two scores."""
    left, right = peaks[:, 0], peaks[:, 1]  # (T, J, M, 3)
    distance = np.linalg.norm(left[..., :, None, :2] - right[..., None, :, :2], axis=-1)  # (T, J, M, M)
    distance = np.where(distance < rule.merged * size[:, None, None, None], distance, np.inf)
    partner = distance.argmin(axis=-1)  # (T, J, M): of each left peak, the nearest right one
    is_paired = np.isfinite(distance.min(axis=-1))
    taken = (is_paired[..., None] & (partner[..., None] == np.arange(right.shape[2]))).any(axis=-2)  # (T, J, M)
    paired = np.take_along_axis(right, partner[..., None], axis=2)
    rest = np.where(taken[..., None], np.nan, right[..., :2])
    points = np.stack(  # (T, 2, J, 2M, 2)
        (
            np.concatenate((left[..., :2], rest), axis=2),
            np.concatenate((np.where(is_paired[..., None], paired[..., :2], left[..., :2]), rest), axis=2),
        ),
        axis=1,
    )
    zeros = np.zeros_like(left[..., 2])
    scores = np.stack(
        (
            np.concatenate((left[..., 2], zeros), axis=2),
            np.concatenate((np.where(is_paired, paired[..., 2], 0), right[..., 2]), axis=2),
        ),
        axis=-1,
    )
    return _Frames(points, np.where(np.isfinite(points[:, 0, ..., :1]), np.nan_to_num(scores), 0))


class _States(NamedTuple):
    """States of each frame that are looked at, S of them.

    They are selected without the side costs: a state and its mirror image stay or go together.

    Attributes:
        peaks: (T, S, J) peak indices of one chain, or (T, S, 2, J) of both; P, the last, says not visible.
        costs: (T, S) without side costs.
        side_costs: (T, S).
    """

    peaks: NDArray[np.intp]
    costs: Floats
    side_costs: Floats


def _limb_states(frames: _Frames, size: Floats, *, side: int, rule: DecodingRule) -> _States:
    """Return the cheapest states of one chain."""
    points = frames.points[:, side]  # (T, J, P, 2)
    num_frames, num_joints, num_peaks, _ = points.shape
    own, other = frames.scores[..., side], frames.scores[..., 1 - side]  # (T, J, P)
    cost = np.where(np.isfinite(points[..., 0]), 1 - np.minimum(np.maximum(own, other), 1), np.inf)
    cost = np.concatenate((cost, np.full((num_frames, num_joints, 1), rule.missing)), axis=2)  # (T, J, P + 1)
    total = cost[:, 0]  # (T, P + 1), one more axis for each keypoint
    for joint in range(1, num_joints):
        limb = np.linalg.norm(points[:, joint - 1, :, None] - points[:, joint, None], axis=-1)
        ratio = limb / size[:, None, None]  # (T, P, P)
        highest = ratio[:, 0, 0]
        usual = np.nanpercentile(highest, 75) if np.isfinite(highest).any() else np.nan
        relative = ratio / usual
        penalty = np.maximum(relative - 1.08, 0) ** 2 / 0.12**2 + np.maximum(0.75 - relative, 0) ** 2 / 0.3**2
        padded = np.zeros((num_frames, num_peaks + 1, num_peaks + 1))  # nothing is known of a limb with a missing end
        padded[:, :-1, :-1] = rule.length * np.minimum(np.nan_to_num(penalty), 3)
        padded = padded.reshape(num_frames, *(1,) * (joint - 1), num_peaks + 1, num_peaks + 1)
        total = total[..., None] + padded + cost[:, joint].reshape(num_frames, *(1,) * joint, num_peaks + 1)
    best, costs = _cheapest(total.reshape(num_frames, -1), rule.num_limbs)
    peaks = np.stack(np.unravel_index(best, total.shape[1:]), axis=-1)  # (T, N, J)
    opinion = np.concatenate((rule.side * (other - own), np.zeros((num_frames, num_joints, 1))), axis=2)
    side_costs = np.take_along_axis(opinion.swapaxes(1, 2), peaks, axis=1).sum(axis=2)
    return _States(peaks, costs, side_costs)


def _joint_states(frames: _Frames, size: Floats, *, rule: DecodingRule) -> _States:
    """Return the cheapest states of both chains."""
    left, right = (_limb_states(frames, size, side=side, rule=rule) for side in (0, 1))
    num_peaks = frames.points.shape[3]
    heights = np.concatenate((frames.scores.max(axis=3), np.zeros((*frames.scores.shape[:2], 1))), axis=2)
    chosen = np.take_along_axis(heights.swapaxes(1, 2), left.peaks, axis=1)[:, :, None, 1:]  # (T, N, 1, J - 1)
    one, other = left.peaks[:, :, None, 1:], right.peaks[:, None, :, 1:]  # without the trunk's keypoints
    is_shared = (one == other) & (one < num_peaks)
    shared = np.where(is_shared, rule.shared + np.minimum(chosen, 1), 0)  # a peak counts in favour of a state once
    cost = left.costs[:, :, None] + right.costs[:, None] + shared.sum(axis=-1)  # (T, N, N)
    best, costs = _cheapest(cost.reshape(len(cost), -1), rule.num_states)
    first, second = np.unravel_index(best, cost.shape[1:])
    rows = np.arange(len(cost))[:, None]
    peaks = np.stack((left.peaks[rows, first], right.peaks[rows, second]), axis=2)  # (T, S, 2, J)
    return _States(peaks, costs, left.side_costs[rows, first] + right.side_costs[rows, second])


def _cheapest(costs: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Return indices and costs of the cheapest entries of each row, in any order."""
    count = min(count, costs.shape[1])
    best = np.argpartition(costs, count - 1, axis=1)[:, :count]
    return best, np.take_along_axis(costs, best, axis=1)


def _choose(frames: _Frames, seconds: Floats, size: Floats, *, rule: DecodingRule) -> tuple[Floats, Floats, Floats]:
    """Return points (T, 2, J, 2), scores (T, 2, J) and side evidence (T,) of the best path."""
    candidates = _joint_states(frames, size, rule=rule)
    states, costs = candidates.peaks, candidates.costs + candidates.side_costs
    num_frames = len(states)
    chains, joints = np.arange(2)[:, None], np.arange(states.shape[3])
    points = np.concatenate((frames.points, np.full((*frames.points.shape[:3], 1, 2), np.nan)), axis=3)
    scores = np.concatenate((frames.scores, np.zeros((*frames.scores.shape[:2], 1, 2))), axis=2)
    came_from = _search(points, states, costs, seconds, size, rule=rule)
    state = came_from.last
    chosen = np.empty((num_frames, *states.shape[2:]), dtype=np.intp)  # (T, 2, J)
    for frame in range(num_frames - 1, -1, -1):
        chosen[frame] = states[frame, state]
        state = came_from.states[frame, state]
    rows = np.arange(num_frames)[:, None, None]
    both = scores[rows, joints, chosen]  # (T, 2, J, 2): score in the left and in the right heatmap
    own = np.stack((both[:, 0, :, 0], both[:, 1, :, 1]), axis=1)
    other = np.stack((both[:, 0, :, 1], both[:, 1, :, 0]), axis=1)
    return points[rows, chains, joints, chosen], both.max(axis=3), (own - other).mean(axis=(1, 2))


class _CameFrom(NamedTuple):
    """Predecessor of each state, (T, S), and the cheapest state of the last frame."""

    states: NDArray[np.intp]
    last: int


def _search(
    points: Floats, states: NDArray[np.intp], costs: Floats, seconds: Floats, size: Floats, *, rule: DecodingRule
) -> _CameFrom:
    num_frames, num_states, _, num_joints = states.shape
    chains, joints = np.arange(2)[:, None], np.arange(num_joints)
    came_from = np.zeros((num_frames, num_states), dtype=np.intp)
    position = points[0][chains, joints, states[0]]  # (S, 2, J, 2)
    velocity = np.zeros_like(position)  # pixels a second
    age = np.where(np.isnan(position[..., 0]), MAX_AGE + 1, 0)  # (S, 2, J) frames since the keypoint was seen
    since = np.zeros(age.shape)  # the same in seconds
    total = costs[0]
    for frame in range(1, num_frames):
        step = seconds[frame] - seconds[frame - 1]
        elapsed = since + step  # (S, 2, J)
        is_fresh = age <= MAX_AGE
        expected = position + np.where(is_fresh, elapsed, 0)[..., None] * velocity
        spread = size[frame] * (rule.noise + rule.acceleration * step**2) * (1 + age)
        now = points[frame][chains, joints, states[frame]]  # (S', 2, J, 2)
        deviation = np.square(now[None] - expected[:, None]).sum(axis=-1) / np.square(spread)[:, None]  # (S, S', 2, J)
        motion = np.where(np.isnan(deviation), 1.0, np.minimum(deviation, rule.largest_jump))
        path = total[:, None] + motion.sum(axis=(2, 3))  # (S, S')
        best = path.argmin(axis=0)
        came_from[frame] = best
        total = path[best, np.arange(num_states)] + costs[frame]
        total -= total.min()
        before, elapsed, is_fresh = position[best], elapsed[best], is_fresh[best]
        is_seen = np.isfinite(now[..., 0])
        measured = np.where(is_fresh[..., None], (now - before) / elapsed[..., None], np.nan)
        moved = np.where(np.isfinite(measured), 0.7 * measured + 0.3 * velocity[best], 0)
        velocity = np.where(is_seen[..., None], moved, 0.9 * velocity[best])
        position = np.where(is_seen[..., None], now, before)
        age = np.where(is_seen, 0, age[best] + 1)
        since = np.where(is_seen, 0, elapsed)
    return _CameFrom(came_from, int(total.argmin()))


def find_unsure(decoded: DecodedClip, seconds: Floats) -> NDArray[np.bool_]:
    """Return the (T,) frames in which the network does not support the chosen sides, on average over a moment.

    These are frames where it sees a limb chain the other way round, or cannot tell left from right.
    """
    if not decoded.side_evidence.shape[1] or len(seconds) < 2:
        return np.zeros(len(seconds), dtype=np.bool_)
    window = _count_frames(UNSURE_WINDOW, seconds)
    mean = pd.DataFrame(decoded.side_evidence).rolling(window, center=True, min_periods=1).mean()
    unsure: NDArray[np.bool_] = (mean.to_numpy() < UNSURE_BELOW).any(axis=1)
    return unsure


def describe_sides(decoded: DecodedClip, seconds: Floats) -> str:
    """Return a sentence such as "left and right are unsure in 12 % of frames: 3.1 to 4.0 s"."""
    unsure = find_unsure(decoded, seconds)
    if not unsure.any():
        return "left and right are sure in all frames" if decoded.side_evidence.shape[1] else ""
    spans = [f"{seconds[run.start]:.1f} to {seconds[run.stop - 1]:.1f} s" for run in stretches(unsure)]
    more = f" and {len(spans) - MAX_SPANS} more" if len(spans) > MAX_SPANS else ""
    return f"left and right are unsure in {unsure.mean():.0%} of frames: {', '.join(spans[:MAX_SPANS])}{more}"
