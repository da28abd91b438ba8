"""A recording frame by frame, as files hold it: every frame in its place, and the people who are seen in it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from efficientpose.core.similarity import boxes_around
from efficientpose.movement.files.text import PIXEL_DECIMALS
from efficientpose.movement.recording import Floats, Recording, Track


def with_every_frame(recording: Recording) -> Recording:
    """Put the frames that are left out back, for formats in which the place tells the time.

    Nobody is in them; their times are interpolated. The spacing is the widest that meets all frames, so a video of
    which every other frame was taken keeps its frames.
    """
    if len(recording.frames) < 2:
        return recording
    numbers = np.arange(recording.frames[0], recording.frames[-1] + 1, np.gcd.reduce(np.diff(recording.frames)))
    rows = np.searchsorted(numbers, recording.frames)

    def widen(values: Floats, missing: float) -> Floats:
        widened = np.full((len(numbers), *values.shape[1:]), missing)
        widened[rows] = values
        return widened

    tracks = [
        Track(
            person=track.person,
            keypoints=widen(track.keypoints, np.nan),
            scores=widen(track.scores, 0.0),
            boxes=widen(track.boxes, np.nan),
        )
        for track in recording.tracks
    ]
    seconds = np.interp(numbers, recording.frames, recording.seconds)
    return replace(recording, frames=numbers, seconds=seconds, tracks=tuple(tracks), raw=None)


class PersonInFrame(NamedTuple):
    """A person who is seen in one frame; all numbers are rounded as in the files.

    Attributes:
        person: The track's number.
        keypoints: (K, 3) x, y in pixels and score; zeros where there is no keypoint.
        score: Mean score of the keypoints that were found.
        box: (4,) x1, y1, x2, y2 in pixels; the one around the keypoints where the track has none.
    """

    person: int
    keypoints: Floats
    score: float
    box: Floats

    def placed(self, places: Sequence[int | None]) -> list[list[float]]:
        """Return [x, y, score] for each place of another skeleton; zeros where it has none of these keypoints."""
        table = self.keypoints.tolist()
        return [[0.0, 0.0, 0.0] if place is None else table[place] for place in places]


def people_in(recording: Recording, row: int) -> list[PersonInFrame]:
    """Return the people who are seen in the frame of this index."""
    people = []
    for track in recording.tracks:
        is_found = np.isfinite(track.keypoints[row]).all(axis=1)
        if is_found.any():
            values = np.column_stack([track.keypoints[row], track.scores[row]])
            values[~is_found] = 0
            score = round(float(values[is_found, 2].mean()), PIXEL_DECIMALS)
            has_box = np.isfinite(track.boxes[row]).all()
            box = track.boxes[row] if has_box else boxes_around(track.keypoints[row : row + 1])[0]
            people.append(PersonInFrame(track.person, values.round(PIXEL_DECIMALS), score, box.round(PIXEL_DECIMALS)))
    return people


def require_people(recording: Recording, format: str) -> None:
    """Raise ValueError for a recording of nobody, which formats that name the people first cannot hold."""
    if not recording.tracks or not len(recording.frames):
        raise ValueError(
            f"{recording.name} has {len(recording.frames)} frames and {len(recording.tracks)} "
            f"people: there is nothing to write as {format}"
        )
