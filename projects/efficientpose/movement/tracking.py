"""Steady identities for a recording whose people are numbered by their place in each frame, as predict writes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.assignment import match_best
from efficientpose.core.poses import Pose
from efficientpose.core.similarity import box_areas, box_overlaps, keypoint_spreads, oks
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.movement.recording import Recording, Track

Floats = NDArray[np.float64]

MIN_COMMON_KEYPOINTS: Final = 3

FADE: Final = 1.0
"""For each second that somebody is unseen, their similarity counts as much less as 1 + FADE says."""


class PeopleFrame(NamedTuple):
    """Everybody in one frame.

    Attributes:
        number: Of the frame in the video, from 0.
        seconds: When it is shown.
        poses: In the picture's pixel-centre indices; a keypoint of score 0 was not found.
    """

    number: int
    seconds: float
    poses: tuple[Pose, ...]


@dataclass(frozen=True, kw_only=True)
class TrackingRule:
    """When a person is the same, new or lost.

    Attributes:
        keypoint_weight: Share of the keypoints' similarity in the whole; the rest is the boxes'.
        min_similarity: Below it an expected and a found person are two.
        max_gap_seconds: So long somebody unseen is waited for; after it they are lost, and new if they come again.
        min_seconds: A track from whose first to last sight less passes is noise and dropped.
        min_score: Mean score of the found keypoints from which somebody unknown starts a track; known people go on
            below it too.
        growth: By how much of itself a person's reach grows for each second unseen, as nobody walks quite straight.
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
        if not (0 <= self.keypoint_weight <= 1 and 0 <= self.min_similarity < 1 and self.velocity_seconds > 0):
            raise ValueError(
                "keypoint_weight must be from 0 to 1, min_similarity from 0 to below 1 and velocity_seconds positive, "
                f"got {self.keypoint_weight}, {self.min_similarity} and {self.velocity_seconds}"
            )
        if min(self.max_gap_seconds, self.min_seconds, self.min_score, self.growth) < 0:
            raise ValueError(
                "max_gap_seconds, min_seconds, min_score and growth must be 0 or more, got "
                f"{self.max_gap_seconds}, {self.min_seconds}, {self.min_score} and {self.growth}"
            )


@dataclass
class _Followed:
    """Somebody that is followed: where last seen (keypoints that were never found are NaN), when, and how fast."""

    number: int
    keypoints: Floats
    box: Floats
    seconds: float
    velocity: Floats
    num_seen: int = 1

    def expected_shift(self, seconds: float) -> Floats:
        return self.velocity * (seconds - self.seconds)

    def see(self, keypoints: Floats, box: Floats, *, seconds: float, velocity_seconds: float) -> None:
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
        self._followed: list[_Followed] = []
        self._num_people = 0
        self._last_seconds = -np.inf

    def update(self, poses: Sequence[Pose], *, seconds: float) -> tuple[int, ...]:
        """Return each pose's number: one known, or a new one; −1 for somebody unknown who is too unsure to start.

        Args:
            poses: Everybody in the next frame.
            seconds: When it is shown.

        Raises:
            ValueError: If time does not go on.
        """
        if not seconds > self._last_seconds:
            raise ValueError(f"frames must come in order: {seconds} s follows {self._last_seconds} s")
        self._last_seconds = seconds
        self._followed = [each for each in self._followed if seconds - each.seconds <= self.rule.max_gap_seconds + 1e-9]
        numbers = [-1] * len(poses)
        if not poses:
            return ()
        keypoints = np.stack([found_keypoints(pose) for pose in poses])
        boxes = np.stack([np.asarray(pose.bbox, np.float64) for pose in poses])
        similarities = self._compare(keypoints, boxes, seconds=seconds)
        # Who was seen a moment ago goes before who was not: a reach that has grown must not take others' places.
        unseen = np.array([seconds - each.seconds for each in self._followed]).reshape(-1, 1)
        preferences = similarities / (1 + FADE * unseen)
        pairs = match_best(np.where(similarities >= self.rule.min_similarity, preferences, 0))
        for row, column in pairs:
            person = self._followed[row]
            person.see(keypoints[column], boxes[column], seconds=seconds, velocity_seconds=self.rule.velocity_seconds)
            numbers[column] = person.number
        for index, pose in enumerate(poses):
            if numbers[index] < 0 and _mean_score(pose) >= self.rule.min_score:
                numbers[index] = self._start(keypoints[index], boxes[index], seconds=seconds)
        return tuple(numbers)

    def _start(self, keypoints: Floats, box: Floats, *, seconds: float) -> int:
        number = self._num_people
        self._num_people += 1
        self._followed.append(
            _Followed(number=number, keypoints=keypoints, box=box, seconds=seconds, velocity=np.zeros(2))
        )
        return number

    def _compare(self, keypoints: Floats, boxes: Floats, *, seconds: float) -> Floats:
        """Return the similarity of those followed and those found, (followed, found) from 0 to 1."""
        if not self._followed:
            return np.zeros((0, len(boxes)))
        shifts = np.stack([each.expected_shift(seconds) for each in self._followed])
        expected = np.stack([each.keypoints for each in self._followed]) + shifts[:, None]
        expected_boxes = np.stack([each.box for each in self._followed]) + np.tile(shifts, 2)
        unseen = np.array([seconds - each.seconds for each in self._followed])
        areas = box_areas(expected_boxes) * (1 + self.rule.growth * unseen) ** 2
        alike = oks(expected, keypoints, areas=areas[:, None], spreads=self._spreads, min_common=MIN_COMMON_KEYPOINTS)
        weight = self.rule.keypoint_weight
        return weight * alike + (1 - weight) * box_overlaps(expected_boxes, boxes)


def found_keypoints(pose: Pose) -> Floats:
    """Return a pose's keypoints (K, 2); NaN for those of score 0 and those that are not finite."""
    keypoints = np.asarray(pose.keypoints, np.float64)
    is_found = np.isfinite(keypoints).all(axis=1) & (keypoints[:, 2] > 0)
    return np.where(is_found[:, None], keypoints[:, :2], np.nan)


def _mean_score(pose: Pose) -> float:
    scores = pose.keypoints[np.isfinite(found_keypoints(pose)).all(axis=1), 2]
    return float(scores.mean()) if len(scores) else 0.0


def track_people(
    frames: Iterable[PeopleFrame],
    *,
    image_size: tuple[int, int],
    source: str = "",
    keypoint_names: Sequence[str] = KEYPOINT_NAMES,
    limbs: Sequence[tuple[int, int]] = LIMBS,
    rule: TrackingRule | None = None,
) -> Recording:
    """Follow everybody through a video.

    Args:
        frames: In order.
        image_size: (width, height) of the video, pixels.
        source: The video's name.
        keypoint_names: Of the poses' keypoints.
        limbs: Pairs of keypoint indices.
        rule: When a person is the same, new or lost.

    Returns:
        People numbered from 0 in the order in which they are first seen.

    Raises:
        ValueError: If time does not go on from frame to frame.
    """
    rule = rule or TrackingRule()
    tracker = Tracker(keypoint_names=keypoint_names, rule=rule)
    seen: list[PeopleFrame] = []
    sights: dict[int, list[tuple[int, Pose]]] = {}
    for index, frame in enumerate(frames):
        for number, pose in zip(tracker.update(frame.poses, seconds=frame.seconds), frame.poses, strict=True):
            if number >= 0:
                sights.setdefault(number, []).append((index, pose))
        seen.append(frame._replace(poses=()))
    seconds = np.array([frame.seconds for frame in seen], np.float64)
    lasting = [
        each for _, each in sorted(sights.items()) if seconds[each[-1][0]] - seconds[each[0][0]] >= rule.min_seconds
    ]
    shape = (len(seen), len(keypoint_names))
    return Recording(
        seconds=seconds,
        frames=np.array([frame.number for frame in seen], np.int64),
        tracks=tuple(_make_track(person, each, shape=shape) for person, each in enumerate(lasting)),
        image_size=image_size,
        source=source,
        keypoint_names=keypoint_names,
        limbs=limbs,
    )


def _make_track(person: int, sights: Sequence[tuple[int, Pose]], *, shape: tuple[int, int]) -> Track:
    keypoints, scores = np.full((*shape, 2), np.nan), np.zeros(shape)
    boxes = np.full((shape[0], 4), np.nan)
    for index, pose in sights:
        keypoints[index] = found_keypoints(pose)
        scores[index] = np.where(np.isfinite(keypoints[index]).all(axis=1), pose.keypoints[:, 2], 0)
        boxes[index] = pose.bbox
    return Track(person=person, keypoints=keypoints, scores=scores, boxes=boxes)


def follow_people(recording: Recording, *, rule: TrackingRule | None = None) -> Recording:
    """Number people anew, the same through the whole video.

    Args:
        recording: Unfiltered.
        rule: When a person is the same, new or lost.
    """
    frames = [
        PeopleFrame(
            number=int(number),
            seconds=float(seconds),
            poses=tuple(_pose(track, index) for track in recording.tracks if track.is_seen[index]),
        )
        for index, (number, seconds) in enumerate(zip(recording.frames, recording.seconds, strict=True))
    ]
    return track_people(
        frames,
        image_size=recording.image_size,
        source=recording.source,
        keypoint_names=recording.keypoint_names,
        limbs=recording.limbs,
        rule=rule,
    )


def _pose(track: Track, index: int) -> Pose:
    keypoints = np.concatenate((track.keypoints[index], track.scores[index][:, None]), axis=1)
    return Pose(bbox=track.boxes[index], keypoints=keypoints)
