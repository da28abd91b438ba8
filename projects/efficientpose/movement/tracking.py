"""People who are numbered by their place in each frame, as predict writes them, get numbers that stay.

Each person is expected in the next frame where their velocity takes them. The keypoints' similarity (OKS) and the
overlap of the boxes say who of those found fits best; the pairs with the highest total are taken.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from efficientpose.core.poses import Pose
from efficientpose.core.similarity import box_areas, box_overlaps, keypoint_spreads, oks
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.movement.recording import Recording, Track

Floats = NDArray[np.float64]

MIN_COMMON_KEYPOINTS: Final = 3
FADE: Final = 1.0  # after t seconds without being seen, a person's similarity is divided by 1 + FADE * t


@dataclass(frozen=True, kw_only=True)
class TrackingRule:
    """When a person is the same, new or lost.

    Attributes:
        keypoint_weight: Share of the keypoints in the similarity; the rest is the boxes'.
        min_similarity: Below it, an expected and a found person are two.
        max_gap_seconds: A person unseen for longer is lost, and new if they come again.
        min_seconds: A track that is shorter from first to last sight is noise and dropped.
        min_score: Mean score of the found keypoints from which an unknown person starts a track; known people go on
            below it too.
        growth: By how much of itself a person's reach grows for each second unseen, as people do not walk straight.
        velocity_seconds: Time constant with which the velocity follows what is seen.

    Raises:
        ValueError: If a number is out of its range.
    """

    keypoint_weight: float = 0.7
    min_similarity: float = 0.2
    max_gap_seconds: float = 2.0
    min_seconds: float = 0.2
    min_score: float = 0.2
    growth: float = 1.0
    velocity_seconds: float = 0.25

    def __post_init__(self) -> None:
        is_over = self.keypoint_weight > 1 or self.min_similarity >= 1 or self.velocity_seconds <= 0
        if is_over or min(astuple(self)) < 0:
            raise ValueError(
                "keypoint_weight must be from 0 to 1, min_similarity from 0 to below 1, velocity_seconds above 0 and "
                f"the others 0 or more, got {self}"
            )


@dataclass
class _TrackedPerson:
    """A person where last seen: (K, 2) keypoints, NaN where never found, box, when, and (2,) velocity in pixels / s."""

    number: int
    keypoints: Floats
    box: Floats
    seconds: float
    velocity: Floats
    num_seen: int = 1

    def expected_shift(self, seconds: float) -> Floats:
        return self.velocity * (seconds - self.seconds)

    def update(self, keypoints: Floats, box: Floats, *, seconds: float, velocity_seconds: float) -> None:
        """Take in where the person was found now."""
        passed = seconds - self.seconds
        moved = keypoints - self.keypoints
        is_common = np.isfinite(moved).all(axis=1)
        if is_common.any():
            # The first sights count alike; later ones fade out.
            share = max(1 - float(np.exp(-passed / velocity_seconds)), 1 / self.num_seen)
            self.velocity = self.velocity + share * (np.median(moved[is_common], axis=0) / passed - self.velocity)
        carried = self.keypoints + self.expected_shift(seconds)
        self.keypoints = np.where(np.isfinite(keypoints), keypoints, carried)
        self.box, self.seconds, self.num_seen = box, seconds, self.num_seen + 1


class Tracker:
    """Gives each person a number, frame by frame; frames are given in order.

    Args:
        keypoint_names: Of the poses' keypoints.
        rule: When a person is the same, new or lost.
    """

    def __init__(self, *, keypoint_names: Sequence[str] = KEYPOINT_NAMES, rule: TrackingRule | None = None) -> None:
        self.rule = rule or TrackingRule()
        self._spreads = keypoint_spreads(tuple(keypoint_names))
        self._people: list[_TrackedPerson] = []
        self._num_people = 0
        self._last_seconds = -np.inf

    def update(self, poses: Sequence[Pose], *, seconds: float) -> tuple[int, ...]:
        """Return each pose's number: a known or a new one; −1 for an unknown person whose score is too low to start.

        Args:
            poses: The people in the next frame.
            seconds: When it is shown.

        Raises:
            ValueError: If time does not go on.
        """
        if not seconds > self._last_seconds:
            raise ValueError(f"frames must come in order: {seconds} s follows {self._last_seconds} s")
        self._last_seconds = seconds
        self._people = [each for each in self._people if seconds - each.seconds <= self.rule.max_gap_seconds + 1e-9]
        if not poses:
            return ()
        numbers = [-1] * len(poses)
        values = np.stack([np.asarray(pose.keypoints, np.float64) for pose in poses])  # (found, K, 3)
        boxes = np.stack([np.asarray(pose.bbox, np.float64) for pose in poses])  # (found, 4)
        is_found = np.isfinite(values).all(axis=2) & (values[..., 2] > 0)
        keypoints = np.where(is_found[..., None], values[..., :2], np.nan)
        if self._people:
            for row, column in self._match(keypoints, boxes, seconds=seconds):
                person = self._people[row]
                velocity_seconds = self.rule.velocity_seconds
                person.update(keypoints[column], boxes[column], seconds=seconds, velocity_seconds=velocity_seconds)
                numbers[column] = person.number
        mean_scores = np.where(is_found, values[..., 2], 0).sum(axis=1) / np.maximum(is_found.sum(axis=1), 1)
        for index in range(len(poses)):
            if numbers[index] < 0 and mean_scores[index] >= self.rule.min_score:
                numbers[index] = self._num_people
                self._num_people += 1
                person = _TrackedPerson(numbers[index], keypoints[index], boxes[index], seconds, np.zeros(2))
                self._people.append(person)
        return tuple(numbers)

    def _match(self, keypoints: Floats, boxes: Floats, *, seconds: float) -> list[tuple[int, int]]:
        """Return pairs of a known and a found person: those with the highest total similarity."""
        unseen = np.array([seconds - each.seconds for each in self._people])  # (known,)
        shifts = np.stack([each.expected_shift(seconds) for each in self._people])  # (known, 2)
        expected = np.stack([each.keypoints for each in self._people]) + shifts[:, None]  # (known, K, 2)
        expected_boxes = np.stack([each.box for each in self._people]) + np.tile(shifts, 2)  # (known, 4)
        areas = box_areas(expected_boxes) * (1 + self.rule.growth * unseen) ** 2
        alike = oks(expected, keypoints, areas=areas[:, None], spreads=self._spreads, min_common=MIN_COMMON_KEYPOINTS)
        weight = self.rule.keypoint_weight
        similarity = weight * alike + (1 - weight) * box_overlaps(expected_boxes, boxes)  # (known, found)
        is_possible = (similarity >= self.rule.min_similarity) & (similarity > 0)
        # A person seen a moment ago goes first: a reach that has grown must not take others' places.
        preferences = np.where(is_possible, similarity / (1 + FADE * unseen[:, None]), 0)
        pairs = zip(*linear_sum_assignment(preferences, maximize=True), strict=True)
        return [(int(row), int(column)) for row, column in pairs if is_possible[row, column]]


def follow_people(recording: Recording, *, rule: TrackingRule | None = None) -> Recording:
    """Number people anew, the same through the whole video, from 0 in the order in which they are first seen.

    Args:
        recording: Unfiltered; who is person n in one frame may be person m in the next.
        rule: When a person is the same, new or lost.
    """
    if not recording.tracks:
        return recording
    rule = rule or TrackingRule()
    tracker = Tracker(keypoint_names=recording.keypoint_names, rule=rule)
    # Computed once: each of these looks at whole tracks.
    is_seen = np.stack([track.is_seen for track in recording.tracks])  # (P, T)
    boxes = np.stack([track.boxes for track in recording.tracks])  # (P, T, 4)
    values = np.stack([np.dstack((track.keypoints, track.scores)) for track in recording.tracks])  # (P, T, K, 3)
    other_peaks = np.stack([track.other_peaks for track in recording.tracks])  # (P, T, K, M, 3)
    sights: dict[int, list[tuple[int, int]]] = defaultdict(list)  # number: in which track in which frame
    for index, seconds in enumerate(recording.seconds.tolist()):
        found = np.flatnonzero(is_seen[:, index]).tolist()
        poses = [Pose(bbox=boxes[place, index], keypoints=values[place, index]) for place in found]
        for number, place in zip(tracker.update(poses, seconds=seconds), found, strict=True):
            if number >= 0:
                sights[number].append((place, index))
    is_missing = ~(np.isfinite(values).all(axis=3) & (values[..., 2] > 0))
    values[is_missing] = (np.nan, np.nan, 0)
    tracks: list[Track] = []
    for _, sight in sorted(sights.items()):
        places, indices = np.array(sight).T
        if recording.seconds[indices[-1]] - recording.seconds[indices[0]] >= rule.min_seconds:
            joined, joined_boxes = np.full_like(values[0], (np.nan, np.nan, 0)), np.full_like(boxes[0], np.nan)
            joined_peaks = np.full_like(other_peaks[0], np.nan)
            joined[indices], joined_boxes[indices] = values[places, indices], boxes[places, indices]
            joined_peaks[indices] = other_peaks[places, indices]
            keypoints, scores = joined[..., :2].copy(), joined[..., 2].copy()
            tracks.append(
                Track(
                    person=len(tracks),
                    keypoints=keypoints,
                    scores=scores,
                    boxes=joined_boxes,
                    other_peaks=joined_peaks,
                )
            )
    return replace(recording, tracks=tuple(tracks))
