"""Text files that appear whole or not at all, and the tables that go beside formats without times or scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.atomic import replacing
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
