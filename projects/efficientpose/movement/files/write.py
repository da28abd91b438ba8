"""Write a recording in any of the formats: one function, and the list of what there is."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from efficientpose.core.files import make_writable_folder
from efficientpose.movement.files.c3d import write_c3d
from efficientpose.movement.files.coco import write_coco, write_coco_17
from efficientpose.movement.files.deeplabcut import write_deeplabcut_csv, write_deeplabcut_h5
from efficientpose.movement.files.markers import write_sports2d, write_trc
from efficientpose.movement.files.mmpose_json import write_mmpose
from efficientpose.movement.files.nwb import write_nwb
from efficientpose.movement.files.openpose import write_openpose
from efficientpose.movement.files.text import write_tidy
from efficientpose.movement.recording import Recording
from efficientpose.video.reading import VIDEO_SUFFIXES

Paths = tuple[Path, ...]


class Format(NamedTuple):
    """One way to write a recording.

    Attributes:
        what: What it is and who reads it, in one line.
        ending: What is added to the recording's name where a folder is given; its suffix is the format's.
        write: Writes a recording to a path and returns what was written.
        in_metres: Whether it takes ``metres_per_pixel``.
    """

    what: str
    ending: str
    write: Callable[..., Paths]
    in_metres: bool = False


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
    if suffix and path.suffix.lower() == suffix and not path.is_dir():
        return path
    if path.suffix and not path.is_dir():
        right = f"one that ends in {suffix}, or a folder" if suffix else "a folder"
        raise ValueError(f"{path}: {format} cannot be written to a {path.suffix} file; give {right}")
    return path / f"{_name(recording)}{ending}"


def _name(recording: Recording) -> str:
    source = Path(recording.source)
    return (source.stem if source.suffix.lower() in VIDEO_SUFFIXES else source.name) or "recording"
