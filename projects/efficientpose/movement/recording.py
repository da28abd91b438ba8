"""People in a video over time: what tracks, filters, angles and writers hand to one another."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS


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


def as_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (T, ...) values as a (T, N) copy, one series a column; it works for no frames too."""
    return values.reshape(len(values), int(np.prod(values.shape[1:]))).copy()


@dataclass(frozen=True, kw_only=True)
class Track:
    """One person in every frame of a recording.

    Attributes:
        person: Number that stays the same through the video, from 0.
        keypoints: (T, K, 2) float64 x, y in the picture's pixel-centre indices, y downwards; NaN where there are none.
        scores: (T, K) float64, the heatmap's peak, about 0 to 1; 0 where there is no keypoint.
        boxes: (T, 4) float64 x1, y1, x2, y2 in pixels; NaN where the person was not seen.

    Raises:
        ValueError: If the shapes do not fit together.
    """

    person: int
    keypoints: NDArray[np.float64]
    scores: NDArray[np.float64]
    boxes: NDArray[np.float64]

    def __post_init__(self) -> None:
        num_frames, num_keypoints = self.scores.shape
        if self.keypoints.shape != (num_frames, num_keypoints, 2) or self.boxes.shape != (num_frames, 4):
            raise ValueError(
                f"person {self.person}: keypoints (T, K, 2), scores (T, K) and boxes (T, 4) do not fit together, got "
                f"{self.keypoints.shape}, {self.scores.shape} and {self.boxes.shape}"
            )

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """(T,) whether any keypoint was found."""
        return np.isfinite(self.keypoints).all(axis=2).any(axis=1)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Everybody in a video.

    Attributes:
        seconds: (T,) float64, when each frame is shown; strictly rising, not always evenly.
        frames: (T,) int64, number of each frame in the video, from 0; a damaged frame's is left out.
        tracks: One a person, each over all T frames.
        keypoint_names: K names in the order of the keypoints.
        limbs: Pairs (proximal, distal) of keypoint indices.
        image_size: (width, height) of the video, pixels.
        source: The video's name.
        raw: The recording before filters; None where this is it. Raw values are always kept beside filtered ones.

    Raises:
        ValueError: If the times do not rise or a track has other frames or keypoints.
    """

    seconds: NDArray[np.float64]
    frames: NDArray[np.int64]
    tracks: tuple[Track, ...]
    image_size: tuple[int, int]
    source: str = ""
    keypoint_names: Sequence[str] = KEYPOINT_NAMES
    limbs: Sequence[tuple[int, int]] = LIMBS
    raw: "Recording | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.seconds.shape != self.frames.shape or self.seconds.ndim != 1:
            raise ValueError(
                f"seconds and frames must be one a frame, got {self.seconds.shape} and {self.frames.shape}"
            )
        if not (np.isfinite(self.seconds).all() and (np.diff(self.seconds) > 0).all()):
            place = int(np.argmin(np.diff(self.seconds, prepend=-np.inf) > 0))
            raise ValueError(f"seconds must rise from frame to frame; at entry {place} they do not")
        expected = (len(self.seconds), len(self.keypoint_names))
        for track in self.tracks:
            if track.scores.shape != expected:
                raise ValueError(
                    f"person {track.person} has (frames, keypoints) {track.scores.shape}, the recording {expected}"
                )

    @property
    def frame_rate(self) -> float:
        """Frames per second, the median's; NaN for fewer than two frames."""
        return float(1 / np.median(np.diff(self.seconds))) if len(self.seconds) > 1 else float("nan")

    def with_tracks(self, tracks: Sequence[Track]) -> "Recording":
        """Return a copy with other tracks, which keeps the raw recording beside it."""
        return replace(self, tracks=tuple(tracks), raw=self if self.raw is None else self.raw)

    def index_of(self, keypoint: str) -> int:
        """Return a keypoint's index.

        Raises:
            ValueError: If there is no such keypoint.
        """
        try:
            return list(self.keypoint_names).index(keypoint)
        except ValueError:
            raise ValueError(f"no keypoint {keypoint!r}: there are {', '.join(self.keypoint_names)}") from None
