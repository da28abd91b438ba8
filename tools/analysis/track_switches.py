"""Count how often people's numbers change, on synthetic clips of people who cross and hide one another.

Example:
    python tools/analysis/track_switches.py --clips 10 --people 2 4 8

Tracking is compared with numbers by the nearest bounding box.
"""

import argparse
import sys
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


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Count changes of people's numbers on synthetic clips.")
    parser.add_argument("--clips", type=int, default=10, help="clips of each number of people (default: %(default)s)")
    parser.add_argument("--people", type=int, nargs="+", default=[2, 4, 8], help="in a clip (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a clip (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same clips (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        if arguments.clips < 1:
            raise ValueError(f"clips must be 1 or more, got {arguments.clips}")
        for num_people in arguments.people:
            rates = ", ".join(f"{name} {rate:.1f}" for name, rate in measure(arguments, num_people).items())
            print(f"{num_people} people, changes of number a minute: {rates}", flush=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def measure(arguments: argparse.Namespace, num_people: int) -> dict[str, float]:
    """Return changes of number a minute for each way to number people."""
    switches = {"nearest box": 0, "nearest box, waits 2 s": 0, "tracking": 0}
    plan = ClipPlan(num_people=num_people, seconds=arguments.seconds)
    for index in range(arguments.clips):
        clip = make_clip(np.random.default_rng((arguments.seed, num_people, index)), plan)
        patient = number_by_nearest_box(clip.frames, max_gap_seconds=2.0)
        ways = (number_by_nearest_box(clip.frames), patient, number_by_tracking(clip.frames))
        for name, numbers in zip(switches, ways, strict=True):
            switches[name] += count_switches(clip.owners, numbers)
    minutes = arguments.clips * arguments.seconds / 60
    return {name: count / minutes for name, count in switches.items()}


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """A synthetic clip's settings: people walk to and fro through frames of 1280 × 720 pixels."""

    num_people: int = 4
    seconds: float = 30.0
    frame_rate: float = 25.0  # frames a second
    noise: float = 0.01  # standard deviation of a keypoint, as a fraction of the stature
    miss_rate: float = 0.02  # share of poses that are missed for no reason
    keypoint_miss_rate: float = 0.05
    hidden_from: float = 0.5  # a person is not found while nearer people cover more than this part of the bounding box

    def __post_init__(self) -> None:
        if self.num_people < 1 or self.seconds <= 0 or self.frame_rate <= 0:
            given = f"{self.num_people}, {self.seconds} and {self.frame_rate}"
            raise ValueError(f"a clip needs people, seconds and a frame rate, got {given}")


class Clip(NamedTuple):
    """Poses that an estimator might find, frame by frame, and the true person of each pose, from 0."""

    frames: tuple[PeopleFrame, ...]
    owners: tuple[tuple[int, ...], ...]


def make_clip(rng: np.random.Generator, plan: ClipPlan) -> Clip:
    """Draw people walking at their own speeds; nearer ones are lower and cover others; poses come in random order."""
    times = np.arange(round(plan.seconds * plan.frame_rate)) / plan.frame_rate
    statures = rng.uniform(160, 260, plan.num_people)
    centres = np.stack([_walk(rng, times, stature) for stature in statures], axis=1)  # (T, N, 2)
    strides = rng.uniform(1.4, 2.2, plan.num_people)
    frames, owners = [], []
    for number, seconds in enumerate(times):
        phases = 2 * np.pi * strides * seconds
        bodies = np.stack([_body(*each) for each in zip(statures, phases, centres[number], strict=True)])  # (N, 16, 2)
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
    """Return the positions of a body's middle, (T, 2): to and fro at a constant speed, gently up and down."""
    left, right = np.sort(rng.uniform((100, 800), (480, 1180)))
    travelled = rng.uniform(0.3, 0.9) * stature * times + rng.uniform(0, 2 * (right - left))
    x = left + np.abs((travelled % (2 * (right - left))) - (right - left))
    return np.stack((x, 360 + (stature - 210) * 0.5 + 6 * np.sin(times * rng.uniform(0.3, 1.0))), axis=1)


def _body(stature: float, phase: float, centre: Floats) -> Floats:
    return stature * (STANDING + np.stack((_SWING * np.sin(phase), np.zeros(len(_SWING))), axis=1)) + centre


def _covered(bodies: Floats, statures: Floats, person: int) -> float:
    """Return the largest part of a person's bounding box that a nearer person's covers."""
    low, high = bodies.min(axis=1), bodies.max(axis=1)  # (N, 2)
    shared = np.minimum(high, high[person]) - np.maximum(low, low[person])
    parts = np.prod(np.maximum(shared, 0), axis=1) / np.prod(high[person] - low[person])
    return float(parts[statures > statures[person]].max(initial=0))


def _find(rng: np.random.Generator, body: Floats, stature: float, plan: ClipPlan) -> Pose:
    """Return a body's pose as an estimator might find it."""
    points = body + rng.normal(0, plan.noise * stature, body.shape)
    scores = np.where(rng.random(len(body)) < plan.keypoint_miss_rate, 0, rng.uniform(0.4, 0.9, len(body)))
    points[scores == 0] = 0
    seen = points[scores > 0] if (scores > 0).any() else body
    margin = 0.05 * stature
    bbox = np.concatenate((seen.min(axis=0) - margin, seen.max(axis=0) + margin))
    return Pose(bbox=bbox, keypoints=np.column_stack((points, scores)))


def count_switches(owners: Sequence[Sequence[int]], numbers: Sequence[Sequence[int]]) -> int:
    """Count how often a person has another number than when last found; −1 is no number and does not count.

    For each frame, ``owners`` has the true person of each pose and ``numbers`` the number given to it.
    """
    found: dict[int, list[int]] = {}
    for people, given in zip(owners, numbers, strict=True):
        for person, number in zip(people, given, strict=True):
            if number >= 0:
                found.setdefault(person, []).append(number)
    return sum(before != after for each in found.values() for before, after in pairwise(each))


def number_by_tracking(frames: Sequence[PeopleFrame], rule: TrackingRule | None = None) -> list[tuple[int, ...]]:
    """Return each frame's numbers by :class:`~efficientpose.movement.tracking.Tracker`."""
    tracker = Tracker(rule=rule)
    return [tracker.update(frame.poses, seconds=frame.seconds) for frame in frames]


def number_by_nearest_box(frames: Sequence[PeopleFrame], *, max_gap_seconds: float = 0.0) -> list[tuple[int, ...]]:
    """Return each frame's numbers by the nearest bounding box, nearest pair first: no velocity, keypoints or optimum.

    The centres of a pair are at most half the old box's longer side apart. People who are not found keep their place
    for ``max_gap_seconds``; 0 compares with the last frame alone.
    """
    last: dict[int, tuple[np.ndarray, float]] = {}
    result, num_people, last_seconds = [], 0, -np.inf
    for frame in frames:
        last = {
            number: (bbox, seen)
            for number, (bbox, seen) in last.items()
            if seen == last_seconds or frame.seconds - seen <= max_gap_seconds
        }
        numbers = _match_nearest({number: bbox for number, (bbox, _) in last.items()}, [p.bbox for p in frame.poses])
        for index, number in enumerate(numbers):
            if number < 0:
                numbers[index] = num_people
                num_people += 1
            last[numbers[index]] = (frame.poses[index].bbox, frame.seconds)
        last_seconds = frame.seconds
        result.append(tuple(numbers))
    return result


def _match_nearest(known: dict[int, np.ndarray], bboxes: Sequence[np.ndarray]) -> list[int]:
    """Return the known number of each bounding box, or −1."""
    pairs = []
    for number, old in known.items():
        reach = 0.5 * max(old[2] - old[0], old[3] - old[1])
        for index, bbox in enumerate(bboxes):
            distance = float(np.hypot(*(bbox[:2] + bbox[2:] - old[:2] - old[2:]) / 2))
            if distance <= reach:
                pairs.append((distance, number, index))
    numbers = [-1] * len(bboxes)
    for _, number, index in sorted(pairs):
        if numbers[index] < 0 and number not in numbers:
            numbers[index] = number
    return numbers


if __name__ == "__main__":
    sys.exit(main())
