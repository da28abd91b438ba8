"""TRC, OpenSim's marker file: one file for each person, with frame numbers, times, and x, y, z of every marker.

``trc`` is in metres with y up and z = 0; without a scale metres are pixels / 1000. ``sports2d`` is in pixels with y
down, as Sports2D's ``load_trc_px`` wants it, which also needs ``_px`` in the name. Markers are named as in Pose2Sim's
models. A missing marker is three empty cells, or nan where it is the last: OpenSim does not count an empty cell at the
end of a line. Scores stand beside in ``<name>_person00.scores.csv``.
"""

from math import isnan
from pathlib import Path
from typing import Final

import numpy as np

from efficientpose.movement.files.frames import require_people
from efficientpose.movement.files.skeletons import marker_names
from efficientpose.movement.files.text import PIXEL_DECIMALS, SECONDS_DECIMALS, write_scores, write_text
from efficientpose.movement.recording import Floats, Recording

METRES_PER_PIXEL: Final = 0.001
"""Where no scale is known: a thousandth of the pixels, so that millimetres read as pixels."""

METRE_DECIMALS: Final = 6


def write_trc(recording: Recording, target: Path, *, metres_per_pixel: float | None = None) -> tuple[Path, ...]:
    """Write ``<name>_person00.trc`` in metres, with six decimals, and its scores, for each person."""
    require_people(recording, "trc")
    tracks = recording.tracks
    positions = [marker_positions(recording, track.keypoints, metres_per_pixel=metres_per_pixel) for track in tracks]
    return _write(recording, target, positions, units="m", decimals=METRE_DECIMALS)


def write_sports2d(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write ``<name>_px_person00.trc`` in pixels, with four decimals, and its scores, for each person."""
    require_people(recording, "sports2d")
    positions = [_with_depth(track.keypoints) for track in recording.tracks]
    return _write(recording, target, positions, units="px", decimals=PIXEL_DECIMALS)


def marker_positions(recording: Recording, keypoints: Floats, *, metres_per_pixel: float | None) -> Floats:
    """Return (T, K, 3) x, y, z in metres of (T, K, 2) x, y in pixels, y down; no scale means ``METRES_PER_PIXEL``.

    x is 0 at the centre of the leftmost pixels and y, which points up, at that of the lowest: y = (height - 1 - y in
    pixels) * metres per pixel. Where there is no keypoint all three are NaN.

    Raises:
        ValueError: If the height is unknown or the scale is no positive number.
    """
    scale = METRES_PER_PIXEL if metres_per_pixel is None else metres_per_pixel
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"metres_per_pixel must be a positive number, got {scale}")
    height = recording.image_size[1]
    if height <= 0:
        raise ValueError(
            f"{recording.name}: y upwards needs the video's height, which is unknown; give "
            "it with --image-size 1920,1080, or in Python read(path, image_size=(1920, 1080))"
        )
    x, y = keypoints[..., 0] * scale, (height - 1 - keypoints[..., 1]) * scale
    return _with_depth(np.stack([x, y], axis=-1))


def _with_depth(keypoints: Floats) -> Floats:
    """Add z = 0 to (T, K, 2) keypoints; where one is missing, all three are NaN."""
    positions = np.pad(keypoints, ((0, 0), (0, 0), (0, 1)))
    positions[~np.isfinite(keypoints).all(axis=2)] = np.nan
    return positions


def require_rate(recording: Recording, format: str) -> float:
    """Return the frame rate, in Hz to six decimals; raises ValueError if there are too few frames to have one."""
    if len(recording.frames) < 2:
        raise ValueError(
            f"{recording.name} has {len(recording.frames)} frames; {format} files name a frame rate, which takes two"
        )
    return round(recording.frame_rate, 6)


def _write(
    recording: Recording, target: Path, positions: list[Floats], *, units: str, decimals: int
) -> tuple[Path, ...]:
    rate, count = require_rate(recording, "TRC"), len(recording.frames)
    markers = marker_names(recording.keypoint_names)
    header = {"DataRate": rate, "CameraRate": rate, "NumFrames": count, "NumMarkers": len(markers), "Units": units}
    header |= {"OrigDataRate": rate, "OrigDataStartFrame": recording.frames[0], "OrigNumFrames": count}
    files = []
    for track, points in zip(recording.tracks, positions, strict=True):
        path = target.with_name(f"{target.stem}_person{track.person:02d}.trc")
        lines = [
            f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
            "\t".join(header),
            "\t".join(map(str, header.values())),
            "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t\t",
            "\t\t" + "\t".join(f"X{number}\tY{number}\tZ{number}" for number in range(1, len(markers) + 1)),
        ]
        rows = points.reshape(count, -1).tolist()
        for number, seconds, row in zip(recording.frames, recording.seconds, rows, strict=True):
            cells = ["" if isnan(value) else f"{value:.{decimals}f}" for value in row]
            cells[-3:] = [cell or "nan" for cell in cells[-3:]]
            lines.append("\t".join([str(number), f"{seconds:.{SECONDS_DECIMALS}f}", *cells]))
        write_text(path, "\n".join(lines) + "\n")
        files += [path, write_scores(recording, path, markers, track.scores)]
    return tuple(files)
