"""People in a video over time: what tracking, filters, angles and writers hand to one another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.poses import Pose
from efficientpose.core.similarity import boxes_around
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS

Floats = NDArray[np.float64]

ROUNDING = 0.0011  # seconds: so far may two times be off that are rounded to milliseconds


class PeopleFrame(NamedTuple):
    """The people in one frame of a video, as an estimator finds them; a keypoint of score 0 was not found."""

    number: int
    seconds: float
    poses: tuple[Pose, ...]


@dataclass(frozen=True, kw_only=True)
class Track:
    """One person in every frame of a recording.

    Attributes:
        person: Number that stays the same through the video, from 0.
        keypoints: (T, K, 2) float64 x, y in the image's pixel-centre indices, y downwards; NaN where there are none.
        scores: (T, K) float64, the heatmap's peak, about 0 to 1; 0 where there is no keypoint.
        boxes: (T, 4) float64 x1, y1, x2, y2 in pixels; NaN where the person was not seen.
        other_peaks: (T, K, M, 3) float64 x, y and score of further peaks of each heatmap, highest first; NaN where
            there are fewer. M is 0 where the recording has none.

    Raises:
        ValueError: If the shapes do not fit together.
    """

    person: int
    keypoints: Floats
    scores: Floats
    boxes: Floats
    other_peaks: Floats = field(default_factory=lambda: np.empty((0, 0, 0, 3)), repr=False)

    def __post_init__(self) -> None:
        num_frames, num_keypoints = self.scores.shape
        if not self.other_peaks.size:
            object.__setattr__(self, "other_peaks", np.empty((num_frames, num_keypoints, 0, 3)))
        if self.keypoints.shape != (num_frames, num_keypoints, 2) or self.boxes.shape != (num_frames, 4):
            raise ValueError(
                f"person {self.person}: keypoints (T, K, 2), scores (T, K) and boxes (T, 4) do not fit together, got "
                f"{self.keypoints.shape}, {self.scores.shape} and {self.boxes.shape}"
            )

    @property
    def peaks(self) -> Floats:
        """(T, K, 1 + M, 3) x, y and score of every peak, the keypoints first."""
        first = np.concatenate((self.keypoints, self.scores[..., None]), axis=2)
        return np.concatenate((first[:, :, None], self.other_peaks), axis=2)

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """(T,) whether any keypoint was found; computed from the whole track at each call."""
        return np.isfinite(self.keypoints).all(axis=2).any(axis=1)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All people in a video.

    Attributes:
        seconds: (T,) float64, when each frame is shown; strictly rising, not always evenly.
        frames: (T,) int64, number of each frame in the video, from 0, strictly rising; damaged frames are left out.
        tracks: One for each person, each over all T frames.
        image_size: (width, height) of the video, pixels.
        source: The video's name.
        keypoint_names: K names in the order of the keypoints.
        limbs: Pairs (proximal, distal) of keypoint indices.
        stream_rate: Frames per second as the video file states them; None where that is not known.
        raw: The recording before filters; None where this is it. Raw values are always kept beside filtered ones.

    Raises:
        ValueError: If the times or frame numbers do not rise or a track has other frames or keypoints.
    """

    seconds: Floats
    frames: NDArray[np.int64]
    tracks: tuple[Track, ...]
    image_size: tuple[int, int]
    source: str = ""
    keypoint_names: Sequence[str] = KEYPOINT_NAMES
    limbs: Sequence[tuple[int, int]] = LIMBS
    stream_rate: float | None = None
    raw: "Recording | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.seconds.shape != self.frames.shape or self.seconds.ndim != 1:
            raise ValueError(f"seconds and frames must be (T,), got {self.seconds.shape} and {self.frames.shape}")
        for name, values in (("seconds", self.seconds), ("frame numbers", self.frames)):
            if not (np.isfinite(values).all() and (np.diff(values) > 0).all()):
                place = int(np.argmin(np.diff(values, prepend=-np.inf) > 0))
                raise ValueError(f"{name} must rise from frame to frame; at entry {place} they do not")
        expected = (len(self.seconds), len(self.keypoint_names))
        for track in self.tracks:
            if track.scores.shape != expected:
                raise ValueError(
                    f"person {track.person} has (frames, keypoints) {track.scores.shape}, the recording {expected}"
                )

    @classmethod
    def from_frames(
        cls,
        frames: Iterable[PeopleFrame],
        *,
        image_size: tuple[int, int],
        keypoint_names: Sequence[str] = KEYPOINT_NAMES,
        **attributes: Any,
    ) -> "Recording":
        """Collect the poses of a video as an estimator finds them.

        The n-th pose of each frame becomes person n, which is no identity yet: ``follow_people`` makes one of it. A
        score that is not finite becomes 0, and a box that is not finite the one around the keypoints.

        Args:
            frames: In order.
            image_size: (width, height) of the video, pixels.
            keypoint_names: Of the poses' keypoints.
            attributes: Others of the recording: ``source``, ``limbs``, ``stream_rate``.

        Raises:
            ValueError: If the times or frame numbers do not rise.
        """
        listed = list(frames)
        num_people = max((len(frame.poses) for frame in listed), default=0)
        values = np.full((num_people, len(listed), len(keypoint_names), 3), np.nan)
        boxes = np.full((num_people, len(listed), 4), np.nan)
        peaks = (pose.peaks for frame in listed for pose in frame.poses if pose.peaks is not None)
        num_peaks = max((each.shape[1] for each in peaks), default=1)
        other_peaks = np.full((num_people, len(listed), len(keypoint_names), num_peaks - 1, 3), np.nan)
        for index, frame in enumerate(listed):
            for person, pose in enumerate(frame.poses):
                values[person, index], boxes[person, index] = pose.keypoints, pose.bbox
                if pose.peaks is not None:
                    other_peaks[person, index, :, : pose.peaks.shape[1] - 1] = pose.peaks[:, 1:]
        scores = np.nan_to_num(values[..., 2], posinf=0, neginf=0)
        tracks = []
        for person, keypoints in enumerate(values[..., :2]):
            has_box = np.isfinite(boxes[person]).all(axis=1, keepdims=True)
            known = np.where(has_box, boxes[person], boxes_around(keypoints))
            tracks.append(
                Track(
                    person=person,
                    keypoints=keypoints,
                    scores=scores[person],
                    boxes=known,
                    other_peaks=other_peaks[person],
                )
            )
        return cls(
            seconds=np.array([frame.seconds for frame in listed], np.float64),
            frames=np.array([frame.number for frame in listed], np.int64),
            tracks=tuple(tracks),
            image_size=image_size,
            keypoint_names=keypoint_names,
            **attributes,
        )

    @property
    def frame_rate(self) -> float:
        """Frames per second; NaN for fewer than two frames.

        The video file's rate, a whole rate or one of NTSC's such as 30 / 1.001, if it explains every time to the
        millisecond to which Matroska rounds; else the mean, left-out frames counted.
        """
        if len(self.seconds) < 2:
            return float("nan")
        seconds, frames = self.seconds - self.seconds[0], self.frames - self.frames[0]

        def error(rate: float) -> float:
            return float(np.abs(seconds - frames / rate).max())

        mean = float(frames[-1] / seconds[-1])
        near = sorted((max(1.0, float(round(mean))), max(1, round(mean * 1.001)) / 1.001), key=error)
        stated = [] if self.stream_rate is None else [self.stream_rate]
        return next((rate for rate in (*stated, *near) if error(rate) <= ROUNDING), mean)

    @property
    def name(self) -> str:
        """What to call the recording in messages."""
        return self.source or "the recording"

    def with_tracks(self, tracks: Sequence[Track]) -> "Recording":
        """Return a copy with other tracks, which keeps the raw recording beside it."""
        return replace(self, tracks=tuple(tracks), raw=self if self.raw is None else self.raw)

    def index_of(self, keypoint: str) -> int:
        """Return a keypoint's index.

        Raises:
            ValueError: If there is no such keypoint.
        """
        if keypoint not in self.keypoint_names:
            raise ValueError(f"no keypoint {keypoint!r}: there are {', '.join(self.keypoint_names)}")
        return list(self.keypoint_names).index(keypoint)


def person_size(keypoints: Floats) -> float:
    """Return the diagonal of the region that (T, K, 2) keypoints span, its median over the frames; NaN without any."""
    boxes = boxes_around(keypoints)
    diagonals = np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    is_seen = np.isfinite(diagonals)
    return float(np.median(diagonals[is_seen])) if is_seen.any() else float("nan")


def stretches(is_present: NDArray[np.bool_], starts_anew: NDArray[np.bool_] | None = None) -> list[slice]:
    """Return the longest runs of frames that are present.

    Args:
        is_present: (T,) whether there is a value.
        starts_anew: (T,) frames that begin a new run even where the one before is present; None for none.
    """
    if not len(is_present):
        return []
    changes = is_present[1:] != is_present[:-1]
    if starts_anew is not None:
        changes = changes | starts_anew[1:]
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(is_present)]
    return [slice(start, stop) for start, stop in pairwise(bounds) if is_present[start]]


def as_columns(values: Floats) -> Floats:
    """Return (T, ...) values as a (T, N) copy, one series in each column; it works for no frames too."""
    return values.reshape(len(values), int(np.prod(values.shape[1:]))).copy()
