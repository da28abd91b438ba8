"""Read what ``efficientpose predict`` found in a video, and the tidy tables written from it, into a recording."""

import json
import warnings
from contextlib import suppress
from pathlib import Path

from efficientpose.movement.files.read_lines import read_lines
from efficientpose.movement.files.read_table import read_table
from efficientpose.movement.recording import Recording

READERS = {".jsonl": read_lines, ".csv": read_table}


def read(path: Path | str, *, image_size: tuple[int, int] | None = None) -> Recording:
    """Read ``<name>_pose.jsonl``, ``<name>_pose.csv`` or a tidy CSV.

    People are numbered as in the file. ``predict`` numbers them by their place in each frame, which is no identity yet;
    tracks make one of it. A file that breaks off within its last line, as after a full disk, is read up to there, with
    a warning.

    Args:
        path: The file. The JSON lines have boxes and frames without anybody; of a CSV, boxes are the tight ones around
            the keypoints and such frames are missing.
        image_size: (width, height) of the video, pixels; None takes it from the overlay video beside the file,
            ``<name>_pose.mp4``, and is (0, 0) without one, which formats with y upwards refuse.

    Raises:
        ValueError: If the file is none of these, or not as they are; the message names the line or column.
        OSError: If it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: a recording is read from {' or '.join(READERS)} files, not {path.suffix or 'this'}")
    text = _whole_lines(path)
    return READERS[path.suffix.lower()](path, text, image_size=image_size or _overlay_size(path.with_suffix(".mp4")))


def _whole_lines(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8, {error.reason} at byte {error.start}") from error
    whole, end, rest = text.rpartition("\n")
    if rest.strip():
        with suppress(ValueError):  # a line of a table does not show whether its last number is whole
            if path.suffix.lower() == ".jsonl" and isinstance(json.loads(rest), dict):
                return text
        number = text.count("\n") + 1
        warnings.warn(f"{path}: line {number} breaks off; what comes before it is read", UserWarning, stacklevel=3)
    return whole + end


def _overlay_size(path: Path) -> tuple[int, int]:
    import cv2

    if not path.is_file():
        return (0, 0)
    video = cv2.VideoCapture(str(path))
    try:
        return (int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    finally:
        video.release()
