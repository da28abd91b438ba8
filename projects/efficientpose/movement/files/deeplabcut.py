"""DeepLabCut's table, as CSV and HDF5: columns scorer, individuals, bodyparts, coords (x, y, likelihood).

One person is written in the single-animal form, without the level ``individuals`` and so without the person's number;
several in the multi-animal form as person_0, person_1. A line is a frame, from the first to the last: damaged frames
and people who are not seen are NaN. There is no column of times: ``<name>_timestamps.csv`` stands beside.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.movement.files.frames import require_people, with_every_frame
from efficientpose.movement.files.text import PIXEL_DECIMALS, write_text, write_timestamps
from efficientpose.movement.recording import Floats, Recording, Track

if TYPE_CHECKING:
    import pandas as pd

SCORER: Final = "efficientpose"
KEY: Final = "df_with_missing"  # what DeepLabCut calls the table in an HDF5 file
MAX_TABLE_COLUMNS: Final = 600  # PyTables keeps their names in one attribute of 64 KiB, which about a thousand fill


def write_deeplabcut_csv(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the table as text, with four decimals.

    pandas takes a first line without values for the index's name: where nobody is in the first frame, nan is written.
    """
    table = _table(recording, "deeplabcut-csv").round(PIXEL_DECIMALS)
    missing = "nan" if table.iloc[0].isna().all() else ""
    write_text(target, table.to_csv(lineterminator="\n", na_rep=missing))
    return (target, write_timestamps(recording, target))


def write_deeplabcut_h5(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the table as HDF5, with all decimals."""
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
    even = with_every_frame(recording)
    levels = {
        "scorer": [SCORER],
        "individuals": [f"person_{track.person}" for track in even.tracks],
        "bodyparts": list(even.keypoint_names),
        "coords": ["x", "y", "likelihood"],
    }
    if len(even.tracks) == 1:
        del levels["individuals"]
    columns = pd.MultiIndex.from_product(list(levels.values()), names=list(levels))
    values = np.concatenate([_values(track) for track in even.tracks], axis=1)  # (T, P * K, 3)
    return pd.DataFrame(values.reshape(len(even.frames), -1), index=even.frames, columns=columns)


def _values(track: Track) -> Floats:
    """Return (T, K, 3) x, y, likelihood; all NaN where the person is not seen."""
    values = np.dstack([track.keypoints, track.scores])
    values[~track.is_seen] = np.nan
    return values
