"""How often somebody's number changes, and the plain way to number people that tracking is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.poses import Pose
from efficientpose.movement.recording import PeopleFrame
from efficientpose.movement.tracking import Tracker, TrackingRule

Floats = NDArray[np.float64]

STANDING: Final = np.array(
    [
        (-0.06, 0.48), (-0.06, 0.24), (-0.05, 0.02), (0.05, 0.02), (0.06, 0.24), (0.06, 0.48), (0.0, 0.02),
        (0.0, -0.24), (0.0, -0.33), (0.0, -0.5), (-0.14, 0.02), (-0.13, -0.12), (-0.1, -0.29), (0.1, -0.29),
        (0.13, -0.12), (0.14, 0.02),
    ]
)  # fmt: skip
"""A standing body in MPII order, (16, 2); its middle is 0, its height 1, y down."""

_SWING: Final = np.array([0.12, 0.06, 0, 0, -0.06, -0.12, 0, 0, 0, 0, -0.1, -0.04, 0, 0, 0.04, 0.1])


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """What to make.

    Attributes:
        num_people: Who walk to and fro through a picture of 1280 × 720 pixels.
        seconds: Length.
        frame_rate: Frames a second.
        noise: Standard deviation of a keypoint, statures.
        miss_rate: Share of poses that are missed for no reason.
        keypoint_miss_rate: Share of keypoints that are missed.
        hidden_from: A person is not found while others, nearer, cover more than this part of the box.

    Raises:
        ValueError: If there is nobody, or no time.
    """

    num_people: int = 4
    seconds: float = 30.0
    frame_rate: float = 25.0
    noise: float = 0.01
    miss_rate: float = 0.02
    keypoint_miss_rate: float = 0.05
    hidden_from: float = 0.5

    def __post_init__(self) -> None:
        if self.num_people < 1 or self.seconds <= 0 or self.frame_rate <= 0:
            raise ValueError(
                "a clip needs people, seconds and a frame rate, got "
                f"{self.num_people}, {self.seconds} and {self.frame_rate}"
            )


class Clip(NamedTuple):
    """What an estimator finds, and who it is.

    Attributes:
        frames: In order.
        owners: For each frame the true person of each pose, from 0.
    """

    frames: tuple[PeopleFrame, ...]
    owners: tuple[tuple[int, ...], ...]


def make_clip(rng: np.random.Generator, plan: ClipPlan) -> Clip:
    """Draw people who walk to and fro at their own speeds, each turning at a place of their own.

    Someone nearer the camera stands lower in the picture and covers those behind. Poses come in no order.
    """
    times = np.arange(round(plan.seconds * plan.frame_rate)) / plan.frame_rate
    statures = rng.uniform(160, 260, plan.num_people)
    centres = np.stack([_walk(rng, times, stature) for stature in statures], axis=1)
    strides = rng.uniform(1.4, 2.2, plan.num_people)
    frames, owners = [], []
    for number, seconds in enumerate(times):
        bodies = np.stack(
            [
                _body(statures[person], phase=2 * np.pi * strides[person] * seconds) + centres[number, person]
                for person in range(plan.num_people)
            ]
        )
        found = [
            person
            for person in rng.permutation(plan.num_people).tolist()
            if rng.random() >= plan.miss_rate and _covered(bodies, statures, person) <= plan.hidden_from
        ]
        poses = tuple(_find(rng, bodies[person], statures[person], plan) for person in found)
        frames.append(PeopleFrame(number, float(seconds), poses))
        owners.append(tuple(found))
    return Clip(tuple(frames), tuple(owners))


def _walk(rng: np.random.Generator, times: Floats, stature: float) -> Floats:
    """Return where the middle of a body is, (T, 2): to and fro at a constant speed, gently up and down."""
    left, right = np.sort(rng.uniform((100, 800), (480, 1180)))
    travelled = rng.uniform(0.3, 0.9) * stature * times + rng.uniform(0, 2 * (right - left))
    x = left + np.abs((travelled % (2 * (right - left))) - (right - left))
    return np.stack((x, 360 + (stature - 210) * 0.5 + 6 * np.sin(times * rng.uniform(0.3, 1.0))), axis=1)


def _body(stature: float, *, phase: float) -> Floats:
    return stature * (STANDING + np.stack((_SWING * np.sin(phase), np.zeros(len(_SWING))), axis=1))


def _covered(bodies: Floats, statures: Floats, person: int) -> float:
    """Return the largest part of a person's box that one nearer person's covers."""
    low, high = bodies.min(axis=1), bodies.max(axis=1)
    shared = np.minimum(high, high[person]) - np.maximum(low, low[person])
    parts = np.prod(np.maximum(shared, 0), axis=1) / np.prod(high[person] - low[person])
    return float(parts[statures > statures[person]].max(initial=0))


def _find(rng: np.random.Generator, body: Floats, stature: float, plan: ClipPlan) -> Pose:
    """Return a body as an estimator might see it."""
    points = body + rng.normal(0, plan.noise * stature, body.shape)
    scores = np.where(rng.random(len(body)) < plan.keypoint_miss_rate, 0, rng.uniform(0.4, 0.9, len(body)))
    points[scores == 0] = 0
    seen = points[scores > 0] if (scores > 0).any() else body
    margin = 0.05 * stature
    box = np.concatenate((seen.min(axis=0) - margin, seen.max(axis=0) + margin))
    return Pose(bbox=box, keypoints=np.column_stack((points, scores)))


def count_switches(owners: Sequence[Sequence[int]], numbers: Sequence[Sequence[int]]) -> int:
    """Return how often a true person has another number than at the last sight before.

    Args:
        owners: For each frame the true person of each pose.
        numbers: For each frame the number given to each pose; −1 for none, which is no sight.

    Raises:
        ValueError: If they do not fit together.
    """
    if [len(each) for each in owners] != [len(each) for each in numbers]:
        raise ValueError("each pose needs its true person and its number")
    sights: dict[int, list[int]] = {}
    for people, given in zip(owners, numbers, strict=True):
        for person, number in zip(people, given, strict=True):
            if number >= 0:
                sights.setdefault(person, []).append(number)
    return sum(before != behind for each in sights.values() for before, behind in pairwise(each))


def number_by_tracking(frames: Sequence[PeopleFrame], rule: TrackingRule | None = None) -> list[tuple[int, ...]]:
    """Return each frame's numbers by :class:`~efficientpose.movement.tracking.Tracker`."""
    tracker = Tracker(rule=rule)
    return [tracker.update(frame.poses, seconds=frame.seconds) for frame in frames]


def number_by_nearest_box(frames: Sequence[PeopleFrame], *, max_gap_seconds: float = 0.0) -> list[tuple[int, ...]]:
    """Return each frame's numbers by the nearest box, nearest pair first: no velocity, no keypoints, no optimum.

    Args:
        frames: In order.
        max_gap_seconds: So long somebody unseen keeps their place; 0 looks at the last frame alone.

    A pair's middles are at most half the old box's longer side apart.
    """
    last: dict[int, tuple[np.ndarray, float]] = {}
    result, num_people, last_seconds = [], 0, -np.inf
    for frame in frames:
        last = {
            number: (box, seen)
            for number, (box, seen) in last.items()
            if seen == last_seconds or frame.seconds - seen <= max_gap_seconds
        }
        numbers = _match_nearest({number: box for number, (box, _) in last.items()}, [p.bbox for p in frame.poses])
        for index, number in enumerate(numbers):
            if number < 0:
                numbers[index] = num_people
                num_people += 1
            last[numbers[index]] = (frame.poses[index].bbox, frame.seconds)
        last_seconds = frame.seconds
        result.append(tuple(numbers))
    return result


def _match_nearest(known: dict[int, np.ndarray], boxes: Sequence[np.ndarray]) -> list[int]:
    pairs = []
    for number, old in known.items():
        reach = 0.5 * max(old[2] - old[0], old[3] - old[1])
        for index, box in enumerate(boxes):
            distance = float(np.hypot(*(box[:2] + box[2:] - old[:2] - old[2:]) / 2))
            if distance <= reach:
                pairs.append((distance, number, index))
    numbers = [-1] * len(boxes)
    taken: set[int] = set()
    for _, number, index in sorted(pairs):
        if numbers[index] < 0 and number not in taken:
            numbers[index] = number
            taken.add(number)
    return numbers
