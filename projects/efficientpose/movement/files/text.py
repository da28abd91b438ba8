"""Text files that appear whole or not at all, and the tables that stand beside formats without times or scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from efficientpose.core.files import replacing
from efficientpose.movement.recording import Floats, Recording

if TYPE_CHECKING:
    import pandas as pd

PIXEL_DECIMALS: Final = 4  # of coordinates in pixels and of scores, as in the files of ``efficientpose predict``
SECONDS_DECIMALS: Final = 6


def write_text(path: Path, text: str) -> None:
    """Write a text file; if that fails, what was there before stays."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, content: Any) -> None:
    """Write JSON without NaN, which the standard does not know."""
    write_text(path, json.dumps(content, allow_nan=False))


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a comma-separated table with a header and no index."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_timestamps(recording: Recording, target: Path) -> Path:
    """Write ``<target without its suffix>_timestamps.csv``: frame, seconds; a damaged frame has no line."""
    path = target.with_name(f"{target.name if target.is_dir() else target.stem}_timestamps.csv")
    write_table(path, _times(recording))
    return path


def write_scores(recording: Recording, target: Path, markers: Sequence[str], scores: Floats) -> Path:
    """Write (T, M) scores to ``<target's stem>.scores.csv``: frame, seconds and one column for each marker."""
    import pandas as pd

    path = target.with_name(f"{target.stem}.scores.csv")
    found = pd.DataFrame(scores.round(PIXEL_DECIMALS), columns=list(markers))
    write_table(path, pd.concat([_times(recording), found], axis=1))
    return path


def _times(recording: Recording) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({"frame": recording.frames, "seconds": recording.seconds.round(SECONDS_DECIMALS)})
