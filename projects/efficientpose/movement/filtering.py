"""All filters of a recording in one call, each on or off by one argument."""

from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.butterworth import butterworth
from efficientpose.movement.clip_decoding import decode_clip, describe_sides
from efficientpose.movement.gaps import Interpolation, fill_gaps
from efficientpose.movement.one_euro import one_euro
from efficientpose.movement.outliers import find_outliers
from efficientpose.movement.recording import Floats, Recording, Track

Smoothing = Literal["butterworth", "one_euro"]


class TrackReport(NamedTuple):
    """What the filters did to one person; each array is (T, K).

    Attributes:
        person: The track's number.
        is_doubtful: Taken out for a low score.
        is_decoded: At another peak than the highest, at the other side's, or at none: chosen over the clip.
        is_outlier: Taken out as an outlier; it may have been filled in afterwards.
        is_filled: Filled in between seen ones.
        is_unsmoothed: In a stretch too short for the Butterworth filter.
        sides: A sentence about left and right; empty where nothing was decoded over the clip.
    """

    person: int
    is_doubtful: NDArray[np.bool_]
    is_decoded: NDArray[np.bool_]
    is_outlier: NDArray[np.bool_]
    is_filled: NDArray[np.bool_]
    is_unsmoothed: NDArray[np.bool_]
    sides: str = ""

    def __str__(self) -> str:
        return (
            f"person {self.person}: {self.is_doubtful.sum()} keypoints taken out for low scores, "
            f"{self.is_decoded.sum()} chosen otherwise over the clip, {self.is_outlier.sum()} outliers taken out, "
            f"{self.is_filled.sum()} filled in, {self.is_unsmoothed.sum()} in stretches too short to smooth"
            f"{self.sides and f'; {self.sides}'}"
        )


class Filtered(NamedTuple):
    """A filtered recording, which keeps the raw one in ``recording.raw``, and what was done to each track."""

    recording: Recording
    reports: tuple[TrackReport, ...]


def filter_recording(
    recording: Recording,
    *,
    min_score: float | None = None,
    decode: bool = True,
    outliers: bool = True,
    max_gap: float | None = 0.2,
    interpolation: Interpolation = "pchip",
    smoothing: Smoothing | None = "butterworth",
    cutoff: float = 6.0,
    order: int = 4,
    min_cutoff: float = 1.0,
    beta: float = 0.007,
) -> Filtered:
    """Clean the signals of every track, in the order of the arguments.

    A keypoint that is taken out becomes NaN with score 0. A keypoint that is filled in keeps score 0, because it was
    not seen: that tells it apart in every file. Boxes stay as they were.

    Args:
        recording: What was found.
        min_score: Take out keypoints that score lower; None keeps all.
        decode: Whether to choose sides and peaks over the whole clip (``clip_decoding``).
        outliers: Whether to take out keypoints that jump away for a moment (``outliers``).
        max_gap: Fill gaps of up to so many seconds (``gaps``); None fills none.
        interpolation: The curve that fills them.
        smoothing: The filter for noise: ``butterworth``, which looks both ways and does not lag, ``one_euro``, which is
            what a live filter would have given, or None.
        cutoff: Of the Butterworth filter in Hz; 6 is usual for walking.
        order: Of the Butterworth filter, both passes together.
        min_cutoff: Of the One-Euro filter at rest, in Hz.
        beta: Of the One-Euro filter, in Hz per pixel a second.

    Raises:
        ValueError: If a setting is out of range; for a cut-off, also if it is too high for the frame rate.
    """
    if smoothing is not None and smoothing not in get_args(Smoothing):
        raise ValueError(f"no smoothing {smoothing!r}: there are {', '.join(get_args(Smoothing))}")
    seconds = recording.seconds
    tracks, reports = [], []
    for raw in recording.tracks:
        track, report = _repair(raw, recording, min_score=min_score, decode=decode, outliers=outliers)
        keypoints = track.keypoints
        if max_gap is not None:
            keypoints = fill_gaps(keypoints, seconds, max_gap=max_gap, interpolation=interpolation)
            is_filled = (np.isfinite(keypoints) & np.isnan(track.keypoints)).any(axis=2)
            report = report._replace(is_filled=is_filled)
        if smoothing == "butterworth":
            keypoints, is_unsmoothed = butterworth(keypoints, seconds, cutoff=cutoff, order=order)
            report = report._replace(is_unsmoothed=is_unsmoothed.any(axis=2))
        elif smoothing == "one_euro":
            keypoints = one_euro(keypoints, seconds, min_cutoff=min_cutoff, beta=beta)
        tracks.append(replace(track, keypoints=keypoints))
        reports.append(report)
    return Filtered(recording.with_tracks(tracks), tuple(reports))


def _repair(
    track: Track, recording: Recording, *, min_score: float | None, decode: bool, outliers: bool
) -> tuple[Track, TrackReport]:
    """Choose keypoints over the clip and take out others; those that stay keep their values."""
    keypoints, scores = track.keypoints.copy(), track.scores.copy()
    is_found = np.isfinite(keypoints).all(axis=2)
    _take_out(keypoints, scores, ~is_found)
    report = TrackReport(track.person, *np.zeros((5, *scores.shape), dtype=np.bool_))
    if decode:
        found = keypoints
        peaks = track.peaks
        peaks[~is_found] = np.nan
        decoded = decode_clip(peaks, recording.seconds, recording.keypoint_names)
        keypoints, scores = decoded.keypoints, decoded.scores
        is_decoded = ((keypoints != found) & ~(np.isnan(keypoints) & np.isnan(found))).any(axis=2)
        report = report._replace(is_decoded=is_decoded, sides=describe_sides(decoded, recording.seconds))
    if min_score is not None:
        report = report._replace(is_doubtful=np.isfinite(keypoints).all(axis=2) & (scores < min_score))
        _take_out(keypoints, scores, report.is_doubtful)
    if outliers:
        report = report._replace(is_outlier=find_outliers(keypoints, recording.seconds))
        _take_out(keypoints, scores, report.is_outlier)
    return replace(track, keypoints=keypoints, scores=scores), report


def _take_out(keypoints: Floats, scores: Floats, where: NDArray[np.bool_]) -> None:
    keypoints[where] = np.nan
    scores[where] = 0
