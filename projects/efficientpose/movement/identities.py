"""How often somebody's number changes, and the plain way to number people that tracking is compared with."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from efficientpose.movement.tracking import PeopleFrame, Tracker, TrackingRule


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
