"""Tidy CSV: one line for each keypoint, person and frame, as ``efficientpose predict`` writes it.

Columns: frame, seconds, person, keypoint, x, y, score, and where the recording was filtered x_raw, y_raw, score_raw.
Every person has a line in every frame; x and y are empty where there is no keypoint. Boxes and a recording of nobody
have no place.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.similarity import boxes_around
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.movement.files.text import PIXEL_DECIMALS, SECONDS_DECIMALS, write_table
from efficientpose.movement.recording import Floats, Recording, Track

if TYPE_CHECKING:
    import pandas as pd

KEY_COLUMNS: Final = ("frame", "seconds", "person", "keypoint")
VALUE_COLUMNS: Final = ("x", "y", "score")
RAW_COLUMNS: Final = ("x_raw", "y_raw", "score_raw")


def write_tidy(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the table; pixels and scores have four decimals, seconds six."""
    import pandas as pd

    people = np.array([track.person for track in recording.tracks], dtype=np.int64)
    shape = (len(recording.frames), len(people), len(recording.keypoint_names))
    frame, person, keypoint = np.indices(shape).reshape(3, -1)
    columns = {
        "frame": recording.frames[frame],
        "seconds": recording.seconds.round(SECONDS_DECIMALS)[frame],
        "person": people[person],
        "keypoint": np.array(recording.keypoint_names)[keypoint],
    }
    for names, source in ((VALUE_COLUMNS, recording), (RAW_COLUMNS, recording.raw)):
        if source is not None:
            values = _values(source, frames=recording.frames, people=people).reshape(-1, 3).round(PIXEL_DECIMALS)
            columns |= dict(zip(names, values.T, strict=True))
    write_table(target, pd.DataFrame(columns))
    return (target,)


def _values(recording: Recording, *, frames: NDArray[np.int64], people: NDArray[np.int64]) -> Floats:
    """Return (T, P, K, 3) x, y, score of these frames and people; NaN where the recording lacks them."""
    values = np.full((len(frames), len(people), len(recording.keypoint_names), 3), np.nan)
    _, rows, own_rows = np.intersect1d(frames, recording.frames, return_indices=True)
    for track in recording.tracks:
        for column in np.flatnonzero(people == track.person):
            values[rows, column, :, :2] = track.keypoints[own_rows]
            values[rows, column, :, 2] = track.scores[own_rows]
    return values


def read_table(path: Path, text: str, *, image_size: tuple[int, int]) -> Recording:
    """Read a tidy table or predict's CSV; keypoints come in the order in which the table first has them.

    Raises:
        ValueError: If columns or lines are missing, a cell is no number, or two lines are of one keypoint.
    """
    table = _parse(path, text)
    frames, rows = np.unique(table["frame"].to_numpy(), return_inverse=True)
    people, columns = np.unique(table["person"].to_numpy(), return_inverse=True)
    codes, names = table["keypoint"].factorize()
    seconds = np.zeros(len(frames))
    seconds[rows] = table["seconds"]
    _refuse(path, seconds[rows] != table["seconds"].to_numpy(), "one frame has two times")

    def make_recording(value_columns: Sequence[str], raw: Recording | None) -> Recording:
        values = np.full((len(people), len(frames), len(names), 3), np.nan)
        values[columns, rows, codes] = table[list(value_columns)].to_numpy(np.float64)
        return Recording(
            seconds=seconds,
            frames=frames.astype(np.int64),
            tracks=tuple(_track(int(person), one) for person, one in zip(people, values, strict=True)),
            image_size=image_size,
            source=path.stem.removesuffix("_pose").removesuffix("_tidy"),
            keypoint_names=tuple(names),
            limbs=_limbs(tuple(names)),
            raw=raw,
        )

    try:
        has_raw = set(RAW_COLUMNS) <= set(table.columns)
        return make_recording(VALUE_COLUMNS, make_recording(RAW_COLUMNS, None) if has_raw else None)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _track(person: int, values: Floats) -> Track:
    keypoints, scores = values[..., :2], np.nan_to_num(values[..., 2], posinf=0, neginf=0)
    return Track(person=person, keypoints=keypoints, scores=scores, boxes=boxes_around(keypoints))


def _limbs(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the MPII body's limbs between those of its keypoints that the table has."""
    ends = [(KEYPOINT_NAMES[limb.proximal], KEYPOINT_NAMES[limb.distal]) for limb in LIMBS]
    return tuple((names.index(a), names.index(b)) for a, b in ends if a in names and b in names)


def _parse(path: Path, text: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(io.StringIO(text))
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise ValueError(f"{path}: not a table of comma-separated values, {error}") from error
    wanted = (*KEY_COLUMNS, *VALUE_COLUMNS)
    if missing := [column for column in wanted if column not in table.columns]:
        raise ValueError(
            f"{path}: lacks the columns {', '.join(missing)}; needed are {', '.join(wanted)}, and it has "
            f"{', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError(f"{path}: nobody is in it; predict's .jsonl beside it keeps the frames without people too")
    for column in (*wanted, *RAW_COLUMNS):
        if column in table.columns and column != "keypoint":
            values = pd.to_numeric(table[column], errors="coerce")
            _refuse(path, values.isna() & table[column].notna(), f"{column} is no number", table[column])
            table[column] = values
    for column in KEY_COLUMNS:
        _refuse(path, table[column].isna(), f"{column} is empty")
    for column in ("frame", "person"):
        _refuse(path, table[column] % 1 != 0, f"{column} is no whole number", table[column])
    table["keypoint"] = table["keypoint"].astype(str)  # keypoints that are called by numbers
    is_twice = table.duplicated(["frame", "person", "keypoint"])
    _refuse(path, is_twice, "this keypoint of this person was there before, in one frame")
    return table


def _refuse(
    path: Path, is_wrong: "pd.Series | NDArray[np.bool_]", reason: str, found: "pd.Series | None" = None
) -> None:
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise ValueError(f"{path}:{row + 2}: {reason}{'' if found is None else f', it is {found.iloc[row]!r}'}")
