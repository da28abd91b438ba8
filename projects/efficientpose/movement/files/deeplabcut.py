"""DeepLabCut's table, as CSV and HDF5: columns scorer, individuals, bodyparts, coords (x, y, likelihood).

One person is written in the single-animal form, without the level ``individuals`` and so without the person's number;
several in the multi-animal form as person_0, person_1. A line is a frame, from the first to the last: damaged frames
and people who are not seen are NaN. There is no column of times: ``<name>_timestamps.csv`` stands beside.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.movement.files.layout import every_frame, require_people, spread
from efficientpose.movement.files.text import PIXEL_DECIMALS, write_text, write_timestamps
from efficientpose.movement.recording import Recording, Track

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SCORER: Final = "efficientpose"
KEY: Final = "df_with_missing"
"""What DeepLabCut calls the table in an HDF5 file."""

MAX_TABLE_COLUMNS: Final = 600
"""PyTables keeps the column names of a ``table`` in one attribute of 64 KiB, which about a thousand fill."""


def write_deeplabcut_csv(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the table as text, with four decimals.

    Raises:
        ValueError: If there is nobody in the recording.
        OSError: If it cannot be written.
    """
    write_text(target, _table(recording, "deeplabcut-csv").round(PIXEL_DECIMALS).to_csv(lineterminator="\n"))
    return (target, write_timestamps(recording, target))


def write_deeplabcut_h5(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the table as HDF5, with all decimals.

    Raises:
        ValueError: If there is nobody in the recording.
        OSError: If it cannot be written.
        ModuleNotFoundError: Without the package ``tables``.
    """
    import pandas as pd

    table = _table(recording, "deeplabcut-h5")
    layout = "table" if len(table.columns) <= MAX_TABLE_COLUMNS else "fixed"
    # Made in memory, because HDF5 reports a full disk by a trace of its own insides and no error number.
    with pd.HDFStore(target.name, mode="w", driver="H5FD_CORE", driver_core_backing_store=0) as store:
        store.put(KEY, table, format=layout)
        store.flush()
        image = store.root._v_file.get_file_image()
    with replacing(target) as partial:
        partial.write_bytes(image)
    return (target, write_timestamps(recording, target))


def _table(recording: Recording, format: str) -> "pd.DataFrame":
    import pandas as pd

    require_people(recording, format)
    timeline = every_frame(recording)
    levels = {
        "scorer": [SCORER],
        "individuals": [f"person_{track.person}" for track in recording.tracks],
        "bodyparts": list(recording.keypoint_names),
        "coords": ["x", "y", "likelihood"],
    }
    if len(recording.tracks) == 1:
        del levels["individuals"]
    values = np.concatenate([spread(_values(track), timeline) for track in recording.tracks], axis=1)
    columns = pd.MultiIndex.from_product(list(levels.values()), names=list(levels))
    return pd.DataFrame(values.reshape(len(timeline.numbers), -1), index=timeline.numbers, columns=columns)


def _values(track: Track) -> "NDArray[np.float64]":
    """Return (T, K, 3) x, y, likelihood; all NaN where the person is not seen."""
    values = np.concatenate([track.keypoints, track.scores[..., None]], axis=2)
    values[~track.is_seen] = np.nan
    return values
