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

from efficientpose.movement.files.layout import marker_names, require_people
from efficientpose.movement.files.text import PIXEL_DECIMALS, SECONDS_DECIMALS, write_scores, write_text
from efficientpose.movement.recording import Recording

METRES_PER_PIXEL: Final = 0.001
"""Where no scale is known: a thousandth of the pixels, so that millimetres read as pixels."""


def marker_positions(
    recording: Recording, keypoints: NDArray[np.float64], *, metres_per_pixel: float | None
) -> NDArray[np.float64]:
    """Return (T, K, 3) x, y, z in metres.

    x is 0 at the centre of the leftmost pixels and y, which points up, at that of the lowest: y = (height - 1 - y in
    pixels) * metres per pixel. Where there is no keypoint all three are NaN.

    Args:
        recording: For the height of the video.
        keypoints: (T, K, 2) x, y in pixels, y down.
        metres_per_pixel: The scale; None takes ``METRES_PER_PIXEL``.

    Raises:
        ValueError: If the height is unknown or the scale is no positive number.
    """
    scale = METRES_PER_PIXEL if metres_per_pixel is None else metres_per_pixel
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"metres_per_pixel must be a positive number, got {scale}")
    height = recording.image_size[1]
    if height <= 0:
        raise ValueError(
            f"{recording.source or 'the recording'}: y upwards needs the video's height, which is unknown; give "
            "it with --image-size 1920,1080, or in Python read(path, image_size=(1920, 1080))"
        )
    positions = np.zeros((*keypoints.shape[:2], 3))
    positions[..., 0] = keypoints[..., 0] * scale
    positions[..., 1] = (height - 1 - keypoints[..., 1]) * scale
    positions[~np.isfinite(keypoints).all(axis=2)] = np.nan
    return positions


def require_rate(recording: Recording, format: str) -> float:
    """Return the frame rate, in Hz to six decimals.

    Raises:
        ValueError: If there are too few frames to have one.
    """
    if len(recording.frames) < 2:
        raise ValueError(
            f"{recording.source or 'the recording'} has {len(recording.frames)} frames; {format} files name a frame "
            "rate, which takes two"
        )
    return round(recording.frame_rate, 6)


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
