"""TRC, OpenSim's marker file: one file a person, frame numbers, real timestamps, x, y, z of every marker.

``trc`` is in metres with y up (see ``markers``) and z = 0; without a scale metres are pixels / 1000. ``sports2d`` is in
pixels with y down, as Sports2D's ``load_trc_px`` wants it, which also needs ``_px`` in the name. Markers are named as
in Pose2Sim's models. A missing marker is three empty cells. Scores stand beside in ``<name>_person00.scores.csv``.
"""

from math import isnan
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.files.layout import require_people
from efficientpose.movement.files.markers import marker_positions, require_rate
from efficientpose.movement.files.skeletons import marker_names
from efficientpose.movement.files.text import PIXEL_DECIMALS, SECONDS_DECIMALS, write_scores, write_text
from efficientpose.movement.recording import Recording

METRE_DECIMALS: Final = 6


def write_trc(recording: Recording, target: Path, *, metres_per_pixel: float | None = None) -> tuple[Path, ...]:
    """Write ``<name>_person00.trc`` in metres, with six decimals, and its scores, for each person.

    Raises:
        ValueError: If there is nobody, fewer than two frames, or the video's height is unknown.
        OSError: If a file cannot be written.
    """
    require_people(recording, "trc")
    positions = [
        marker_positions(recording, track.keypoints, metres_per_pixel=metres_per_pixel) for track in recording.tracks
    ]
    return _write(recording, target, positions, units="m", decimals=METRE_DECIMALS)


def write_sports2d(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write ``<name>_px_person00.trc`` in pixels, with four decimals, and its scores, for each person.

    Raises:
        ValueError: If there is nobody or fewer than two frames.
        OSError: If a file cannot be written.
    """
    require_people(recording, "sports2d")
    positions = []
    for track in recording.tracks:
        with_depth = np.pad(track.keypoints, ((0, 0), (0, 0), (0, 1)))
        with_depth[~np.isfinite(track.keypoints).all(axis=2)] = np.nan
        positions.append(with_depth)
    return _write(recording, target, positions, units="px", decimals=PIXEL_DECIMALS)


def _write(
    recording: Recording, target: Path, positions: list[NDArray[np.float64]], *, units: str, decimals: int
) -> tuple[Path, ...]:
    rate = require_rate(recording, "TRC")
    markers = marker_names(recording.keypoint_names)
    files = []
    for track, points in zip(recording.tracks, positions, strict=True):
        path = target.with_name(f"{target.stem}_person{track.person:02d}.trc")
        header = _header(path.name, recording, markers, rate=rate, units=units)
        write_text(path, header + _rows(recording, points, decimals=decimals))
        files += [path, write_scores(recording, path, markers, track.scores)]
    return tuple(files)


def _header(name: str, recording: Recording, markers: tuple[str, ...], *, rate: float, units: str) -> str:
    count = len(recording.frames)
    fields = {
        "DataRate": rate,
        "CameraRate": rate,
        "NumFrames": count,
        "NumMarkers": len(markers),
        "Units": units,
        "OrigDataRate": rate,
        "OrigDataStartFrame": recording.frames[0],
        "OrigNumFrames": count,
    }
    axes = (f"X{number}\tY{number}\tZ{number}" for number in range(1, len(markers) + 1))
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join(fields),
        "\t".join(map(str, fields.values())),
        "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t\t",
        "\t\t" + "\t".join(axes),
    ]
    return "".join(f"{line}\n" for line in lines)


def _rows(recording: Recording, points: NDArray[np.float64], *, decimals: int) -> str:
    lines = []
    for number, seconds, row in zip(
        recording.frames.tolist(), recording.seconds.tolist(), points.reshape(len(points), -1).tolist(), strict=True
    ):
        cells = ("" if isnan(value) else f"{value:.{decimals}f}" for value in row)
        lines.append(f"{number}\t{seconds:.{SECONDS_DECIMALS}f}\t" + "\t".join(cells) + "\n")
    return "".join(lines)
