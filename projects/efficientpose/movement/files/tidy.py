"""Tidy CSV: one line a keypoint, person and frame, as ``efficientpose predict`` writes it and with raw values beside.

Columns: frame, seconds, person, keypoint, x, y, score, and where the recording was filtered x_raw, y_raw, score_raw.
Every person has a line in every frame; x and y are empty where there is no keypoint. Boxes and a recording of nobody
have no place.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.files.text import PIXEL_DECIMALS, SECONDS_DECIMALS, write_table
from efficientpose.movement.recording import Recording

VALUE_COLUMNS: Final = ("x", "y", "score")
RAW_COLUMNS: Final = ("x_raw", "y_raw", "score_raw")


def write_tidy(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the table; pixels and scores have four decimals, seconds six.

    Raises:
        OSError: If it cannot be written.
    """
    import pandas as pd

    num_frames, num_people, num_keypoints = (
        len(recording.frames),
        len(recording.tracks),
        len(recording.keypoint_names),
    )
    frame, person, keypoint = np.indices((num_frames, num_people, num_keypoints)).reshape(3, -1)
    people = np.array([track.person for track in recording.tracks], dtype=np.int64)
    columns = {
        "frame": recording.frames[frame],
        "seconds": recording.seconds.round(SECONDS_DECIMALS)[frame],
        "person": people[person],
        "keypoint": np.array(recording.keypoint_names)[keypoint],
    }
    sources = [(VALUE_COLUMNS, recording)] + ([(RAW_COLUMNS, recording.raw)] if recording.raw is not None else [])
    for names, source in sources:
        values = _values(source, frames=recording.frames, people=people).reshape(-1, 3).round(PIXEL_DECIMALS)
        columns |= dict(zip(names, values.T, strict=True))
    write_table(target, pd.DataFrame(columns))
    return (target,)


def _values(recording: Recording, *, frames: NDArray[np.int64], people: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (T, P, K, 3) x, y, score of these frames and people; NaN where the recording lacks them."""
    values = np.full((len(frames), len(people), len(recording.keypoint_names), 3), np.nan)
    tracks = {track.person: track for track in recording.tracks}
    _, rows, own_rows = np.intersect1d(frames, recording.frames, return_indices=True)
    for column, person in enumerate(people.tolist()):
        if person in tracks:
            values[rows, column, :, :2] = tracks[person].keypoints[own_rows]
            values[rows, column, :, 2] = tracks[person].scores[own_rows]
    return values
