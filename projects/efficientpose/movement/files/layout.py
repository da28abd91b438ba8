"""Other tools' orders and names of keypoints, and how a recording's own are placed in them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.files.text import PIXEL_DECIMALS
from efficientpose.movement.recording import Recording


class Timeline(NamedTuple):
    """Frames from the first to the last without a gap.

    Attributes:
        numbers: (N,) int64, each frame's number in the video, evenly spaced.
        rows: (N,) int64, its index in the recording; -1 where the video was damaged.
    """

    numbers: NDArray[np.int64]
    rows: NDArray[np.int64]


class Person(NamedTuple):
    """Somebody seen in one frame.

    Attributes:
        person: The track's number.
        keypoints: (K, 2) x, y in pixels; 0 where there are none.
        scores: (K,), 0 where there is no keypoint.
        is_found: (K,) whether there is a keypoint.
        box: (4,) x1, y1, x2, y2 in pixels; the tight one around the keypoints where the track has none.
    """

    person: int
    keypoints: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_found: NDArray[np.bool_]
    box: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Mean score of the keypoints that were found."""
        return round(float(self.scores[self.is_found].mean()), PIXEL_DECIMALS)

    def placed(self, places: Sequence[int | None]) -> list[list[float]]:
        """Return [x, y, score] for each place of another skeleton; zeros where it has none of these keypoints."""
        table = np.column_stack([self.keypoints, self.scores]).round(PIXEL_DECIMALS).tolist()
        return [[0.0, 0.0, 0.0] if place is None else table[place] for place in places]


def every_frame(recording: Recording) -> Timeline:
    """Put the frames that are left out back between the others, for formats in which the place tells the time.

    The spacing is the widest that meets all frames, so a video of which every other frame was taken keeps its frames.

    Raises:
        ValueError: If the frame numbers do not rise.
    """
    steps = np.diff(recording.frames)
    if (steps <= 0).any():
        place = int(np.argmax(steps <= 0)) + 1
        raise ValueError(f"frame numbers must rise; {recording.frames[place]} at entry {place} does not")
    if not len(recording.frames):
        return Timeline(numbers=recording.frames, rows=np.zeros(0, np.int64))
    step = int(np.gcd.reduce(steps)) if len(steps) else 1
    numbers = np.arange(recording.frames[0], recording.frames[-1] + 1, step)
    rows = np.full(len(numbers), -1)
    rows[(recording.frames - numbers[0]) // step] = np.arange(len(recording.frames))
    return Timeline(numbers=numbers, rows=rows)


def spread(values: NDArray[np.float64], timeline: Timeline) -> NDArray[np.float64]:
    """Return (N, ...) values of a timeline's frames from (T, ...) ones, NaN where a frame is left out."""
    spreaded = np.full((len(timeline.rows), *values.shape[1:]), np.nan)
    is_there = timeline.rows >= 0
    spreaded[is_there] = values[timeline.rows[is_there]]
    return spreaded


def people_in(recording: Recording, row: int) -> list[Person]:
    """Return who is seen in one frame.

    Args:
        recording: Where.
        row: Index of the frame in the recording; -1, a damaged frame, has nobody.
    """
    if row < 0:
        return []
    people = []
    for track in recording.tracks:
        is_found = np.isfinite(track.keypoints[row]).all(axis=1)
        if not is_found.any():
            continue
        keypoints = np.where(is_found[:, None], track.keypoints[row], 0.0)
        scores = np.where(is_found, track.scores[row], 0.0)
        box = track.boxes[row]
        if not np.isfinite(box).all():
            box = tight_boxes(track.keypoints[row][None])[0]
        people.append(Person(track.person, keypoints, scores, is_found, box.round(PIXEL_DECIMALS)))
    return people


def tight_boxes(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (T, 4) x1, y1, x2, y2 around the found ones of (T, K, 2) keypoints; NaN where there are none."""
    is_found = np.isfinite(keypoints).all(axis=2, keepdims=True)
    least = np.where(is_found, keypoints, np.inf).min(axis=1, initial=np.inf)
    most = np.where(is_found, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([least, most], axis=1)
    return np.where(np.isfinite(boxes), boxes, np.nan)


def require_people(recording: Recording, format: str) -> None:
    """Refuse a recording of nobody, for formats that name the people first.

    Raises:
        ValueError: If there are no tracks or no frames.
    """
    if not recording.tracks or not len(recording.frames):
        raise ValueError(
            f"{recording.source or 'the recording'} has {len(recording.frames)} frames and {len(recording.tracks)} "
            f"people: there is nothing to write as {format}"
        )


BODY_25: Final = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
)
"""OpenPose's order; ``neck`` is the middle of the shoulders and ``hip`` (MidHip) the middle of the hips."""

COCO_17: Final = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)

_OWN_NAME: Final = {"neck": "thorax", "hip": "pelvis", "head": "head_top"}
"""MPII's keypoint that stands where another tool's does: its thorax lies between the shoulders, as OpenPose's and
Pose2Sim's Neck does by construction; its upper neck lies higher, at the skull, and has no counterpart."""

_OTHER_NAME: Final = {own: other for other, own in _OWN_NAME.items()}


def place(keypoint_names: Sequence[str], wanted: Sequence[str]) -> tuple[int | None, ...]:
    """Return for each keypoint of another skeleton the index of the one that stands there, or None."""
    index = {name: number for number, name in enumerate(keypoint_names)}
    return tuple(index.get(name, index.get(_OWN_NAME.get(name, ""))) for name in wanted)


def place_some(keypoint_names: Sequence[str], wanted: Sequence[str]) -> tuple[int | None, ...]:
    """Place keypoints in another skeleton, as ``place``.

    Raises:
        ValueError: If none stands anywhere, so that a file would hold zeros alone.
    """
    places = place(keypoint_names, wanted)
    if all(index is None for index in places):
        raise ValueError(f"none of the keypoints {', '.join(keypoint_names)} is one of {', '.join(wanted)}")
    return places


def marker_names(keypoint_names: Sequence[str]) -> tuple[str, ...]:
    """Return the marker names of Pose2Sim's OpenSim models: ``left_big_toe`` is LBigToe, ``pelvis`` Hip.

    ``thorax`` is Neck, ``head_top`` Head, and ``upper_neck``, which those models lack, UpperNeck. Where the recording
    has a ``neck``, ``hip`` or ``head`` of its own, that is the marker and the MPII keypoint keeps its name.
    """
    others = {name: _OTHER_NAME.get(name, name) for name in keypoint_names}
    return tuple(_marker_name(name if others[name] in others else others[name]) for name in keypoint_names)


def _marker_name(name: str) -> str:
    for side in ("left_", "right_"):
        if name.startswith(side):
            return side[0].upper() + _marker_name(name.removeprefix(side))
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
