"""Read tables of one line a keypoint: predict's CSV and the tidy one, with raw values where they stand beside."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.movement.files.layout import tight_boxes
from efficientpose.movement.files.text import RAW_COLUMNS, VALUE_COLUMNS
from efficientpose.movement.recording import Recording, Track

if TYPE_CHECKING:
    import pandas as pd

KEY_COLUMNS: Final = ("frame", "seconds", "person", "keypoint")


def read_table(path: Path, text: str, *, image_size: tuple[int, int]) -> Recording:
    """Read a recording; keypoints come in the order in which the table first has them.

    Args:
        path: Where the text is from, for messages.
        text: The file's lines.
        image_size: (width, height) of the video.

    Raises:
        ValueError: If columns or lines are missing, a cell is no number, or two lines are of one keypoint.
    """
    table = _checked(path, text)
    frames, rows = np.unique(table["frame"].to_numpy(), return_inverse=True)
    people, columns = np.unique(table["person"].to_numpy(), return_inverse=True)
    codes, names = table["keypoint"].factorize()
    place = (columns, rows, codes)
    shape = (len(people), len(frames), len(names))
    seconds = np.zeros(len(frames))
    seconds[rows] = table["seconds"]
    _refuse(path, seconds[rows] != table["seconds"].to_numpy(), "one frame has two times")

    def recording(value_columns: Sequence[str], raw: Recording | None) -> Recording:
        values = np.full((*shape, 3), np.nan)
        values[place] = table[list(value_columns)].to_numpy(np.float64)
        tracks = [_track(int(person), values[column]) for column, person in enumerate(people)]
        return Recording(
            seconds=seconds,
            frames=frames.astype(np.int64),
            tracks=tuple(tracks),
            image_size=image_size,
            source=path.stem.removesuffix("_pose").removesuffix("_tidy"),
            keypoint_names=tuple(names),
            limbs=_limbs(tuple(names)),
            raw=raw,
        )

    try:
        has_raw = set(RAW_COLUMNS) <= set(table.columns)
        return recording(VALUE_COLUMNS, recording(RAW_COLUMNS, None) if has_raw else None)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _checked(path: Path, text: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(io.StringIO(text))
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise ValueError(f"{path}: not a table of comma-separated values, {error}") from error
    wanted = (*KEY_COLUMNS, *VALUE_COLUMNS)
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise ValueError(
            f"{path}: lacks the columns {', '.join(missing)}; needed are {', '.join(wanted)}, and it has "
            f"{', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError(f"{path}: nobody is in it; predict's .jsonl beside it keeps the frames without people too")
    numbers = [column for column in (*wanted, *RAW_COLUMNS) if column in table.columns and column != "keypoint"]
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce")
        _refuse(path, (values.isna() & table[column].notna()).to_numpy(), f"{column} is no number", table[column])
        table[column] = values
    for column in KEY_COLUMNS:
        _refuse(path, table[column].isna().to_numpy(), f"{column} is empty")
    for column in ("frame", "person"):
        _refuse(path, (table[column] % 1 != 0).to_numpy(), f"{column} is no whole number", table[column])
    table["keypoint"] = table["keypoint"].astype(str)  # keypoints that are called by numbers
    keys = ["frame", "person", "keypoint"]
    _refuse(path, table.duplicated(keys).to_numpy(), "this keypoint of this person was there before, in one frame")
    return table


def _refuse(path: Path, is_wrong: NDArray[np.bool_], reason: str, values: "pd.Series | None" = None) -> None:
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        found = "" if values is None else f", it is {values.iloc[row]!r}"
        raise ValueError(f"{path}:{row + 2}: {reason}{found}")


def _track(person: int, values: NDArray[np.float64]) -> Track:
    keypoints, scores = values[..., :2], np.nan_to_num(values[..., 2], posinf=0, neginf=0)
    return Track(person=person, keypoints=keypoints, scores=scores, boxes=tight_boxes(keypoints))


def _limbs(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the MPII body's limbs between those of its keypoints that the table has."""
    ends = [(KEYPOINT_NAMES[limb.proximal], KEYPOINT_NAMES[limb.distal]) for limb in LIMBS]
    return tuple((names.index(a), names.index(b)) for a, b in ends if a in names and b in names)
