"""Tidy CSV: one line a keypoint, person and frame, as ``efficientpose predict`` writes it and with raw values beside.

Columns: frame, seconds, person, keypoint, x, y, score, and where the recording was filtered x_raw, y_raw, score_raw.
Every person has a line in every frame; x and y are empty where there is no keypoint. Boxes and a recording of nobody
have no place.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.files import replacing
from efficientpose.movement.recording import Recording

if TYPE_CHECKING:
    import pandas as pd

PIXEL_DECIMALS: Final = 4
"""Of coordinates in pixels and of scores, as in the files of ``efficientpose predict``."""

SECONDS_DECIMALS: Final = 6


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        OSError: If it cannot be written; what was there before stays.
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, content: Any) -> None:
    """Write JSON without NaN, which the standard does not know.

    Raises:
        OSError: If it cannot be written.
    """
    write_text(path, json.dumps(content, allow_nan=False))


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a comma-separated table with a header and no index.

    Raises:
        OSError: If it cannot be written.
    """
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_timestamps(recording: Recording, target: Path) -> Path:
    """Write ``<target without its suffix>_timestamps.csv`` beside a target: frame, seconds.

    A damaged frame has no line.

    Raises:
        OSError: If it cannot be written.
    """
    name = target.name if target.is_dir() else target.stem
    path = target.with_name(f"{name}_timestamps.csv")
    write_table(path, _times(recording))
    return path


def write_scores(recording: Recording, target: Path, columns: Sequence[str], scores: NDArray[np.float64]) -> Path:
    """Write ``<target's stem>.scores.csv`` beside a target: frame, seconds and one column a marker.

    Args:
        recording: Its frames are the lines.
        target: The file that has no place for scores.
        columns: M names, as in the target.
        scores: (T, M).

    Raises:
        OSError: If it cannot be written.
    """
    import pandas as pd

    path = target.with_name(f"{target.stem}.scores.csv")
    found = pd.DataFrame(scores.round(PIXEL_DECIMALS), columns=list(columns))
    write_table(path, pd.concat([_times(recording), found], axis=1))
    return path


def _times(recording: Recording) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({"frame": recording.frames, "seconds": recording.seconds.round(SECONDS_DECIMALS)})


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
