"""Keypoints as the markers of motion capture: in metres, x to the right, y up, z towards the camera and 0."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

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
