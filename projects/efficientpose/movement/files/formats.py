"""Every format that is read or written, and the two functions that do it."""

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from efficientpose.core.files import make_writable_folder
from efficientpose.movement.files.c3d import write_c3d
from efficientpose.movement.files.coco import write_coco, write_coco_17
from efficientpose.movement.files.deeplabcut import write_deeplabcut_csv, write_deeplabcut_h5
from efficientpose.movement.files.json_lines import read_json_lines
from efficientpose.movement.files.mmpose_json import write_mmpose
from efficientpose.movement.files.nwb import write_nwb
from efficientpose.movement.files.openpose import write_openpose
from efficientpose.movement.files.tidy import read_table, write_tidy
from efficientpose.movement.files.trc import write_sports2d, write_trc
from efficientpose.movement.recording import Recording
from efficientpose.video.reading import VIDEO_SUFFIXES

Paths = tuple[Path, ...]


class Format(NamedTuple):
    """One way to write a recording."""

    what: str
    ending: str  # added to the recording's name where a folder is given
    write: Callable[..., Paths]  # raises as ``write`` below says
    in_metres: bool = False  # whether it takes metres_per_pixel


FORMATS: Final = {
    "csv": Format("tidy table, one line a keypoint, raw values beside filtered ones", "_tidy.csv", write_tidy),
    "deeplabcut-csv": Format("DeepLabCut's table as text", "_deeplabcut.csv", write_deeplabcut_csv),
    "deeplabcut-h5": Format("DeepLabCut's table as HDF5", "_deeplabcut.h5", write_deeplabcut_h5),
    "openpose": Format("OpenPose's JSON, one file a frame, BODY_25; for Pose2Sim", "_json", write_openpose),
    "coco": Format("COCO results with the recording's own keypoints", "_coco.json", write_coco),
    "coco-17": Format("COCO results with COCO's 17 keypoints", "_coco_17.json", write_coco_17),
    "mmpose": Format("MMPose's prediction JSON", "_mmpose.json", write_mmpose),
    "trc": Format("OpenSim's markers in metres, one file a person", ".trc", write_trc, in_metres=True),
    "sports2d": Format("TRC in pixels, one file a person; for Sports2D", "_px.trc", write_sports2d),
    "c3d": Format("motion capture's binary markers", ".c3d", write_c3d, in_metres=True),
    "nwb": Format("Neurodata Without Borders with ndx-pose, one file a person", ".nwb", write_nwb),
}

READERS: Final = {".jsonl": read_json_lines, ".csv": read_table}


def write(recording: Recording, path: Path | str, format: str, *, metres_per_pixel: float | None = None) -> Paths:
    """Write a recording for another tool.

    Each file appears whole or not at all, so that an earlier one stays readable if writing fails.

    Args:
        recording: What to write.
        path: A file with the format's suffix, or a folder, in which files are called by the recording's source. Where
            a format takes several files or lacks times or scores, theirs stand beside it under longer names.
        format: One of ``FORMATS``.
        metres_per_pixel: The scale of formats in metres; None writes a thousandth of the pixels.

    Returns:
        What was written, the main file first.

    Raises:
        ValueError: If there is no such format, the path has another suffix, a scale is given to a format in pixels, or
            the format cannot hold the recording.
        OSError: If a file cannot be written; it names it.
        ModuleNotFoundError: If the format's library is not installed.
    """
    if format not in FORMATS:
        raise ValueError(f"no format {format!r}: there are {', '.join(FORMATS)}")
    chosen = FORMATS[format]
    if metres_per_pixel is not None and not chosen.in_metres:
        raise ValueError(f"metres_per_pixel is for formats in metres (trc, c3d); {format} is in pixels")
    target = _target(Path(path), recording, ending=chosen.ending, format=format)
    try:
        make_writable_folder(target.parent)
    except OSError as error:
        raise OSError(error.errno, f"no file can be written here, {error.strerror}", str(target.parent)) from error
    scale = {"metres_per_pixel": metres_per_pixel} if chosen.in_metres else {}
    return chosen.write(recording, target, **scale)


def _target(path: Path, recording: Recording, *, ending: str, format: str) -> Path:
    suffix = Path(f"x{ending}").suffix
    if path.suffix and not path.is_dir():
        if path.suffix.lower() == suffix:
            return path
        right = f"one that ends in {suffix}, or a folder" if suffix else "a folder"
        raise ValueError(f"{path}: {format} cannot be written to a {path.suffix} file; give {right}")
    source = Path(recording.source)
    name = source.stem if source.suffix.lower() in VIDEO_SUFFIXES else source.name
    return path / f"{name or 'recording'}{ending}"


def read(path: Path | str, *, image_size: tuple[int, int] | None = None) -> Recording:
    """Read ``<name>_pose.jsonl``, ``<name>_pose.csv`` or a tidy CSV.

    People are numbered as in the file. ``predict`` numbers them by their place in each frame, which is no identity yet;
    ``follow_people`` makes one of it. A file that breaks off within its last line, as after a full disk, is read up to
    there, with a warning.

    Args:
        path: The file. The JSON lines have boxes and frames without people; of a CSV, boxes are the tight ones around
            the keypoints and such frames are missing.
        image_size: (width, height) of the video, pixels; None takes it from the overlay video beside the file,
            ``<name>_pose.mp4``, or the JSON lines; without both it is (0, 0), which formats with y upwards refuse.

    Raises:
        ValueError: If the file is none of these, or not as they are; the message names the line or column.
        OSError: If it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: a recording is read from {' or '.join(READERS)} files, not {path.suffix or 'this'}")
    text = _whole_lines(path)
    return READERS[path.suffix.lower()](path, text, image_size=image_size or _video_size(path.with_suffix(".mp4")))


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


def _video_size(path: Path) -> tuple[int, int]:
    """Return (width, height); (0, 0) without a video."""
    video = cv2.VideoCapture(str(path)) if path.is_file() else cv2.VideoCapture()
    size = (int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    video.release()
    return size
