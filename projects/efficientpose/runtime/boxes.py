"""Check what a caller gives: pictures as arrays, and people's boxes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from efficientpose.runtime.images import read_image

MAX_BOX_PER_IMAGE = 10

Boxes = Sequence[Sequence[float]] | np.ndarray


def load_pixels(image: str | Path | np.ndarray) -> np.ndarray:
    """Return a picture, (H, W, 3) uint8 BGR, from a file or as it is.

    Raises:
        ImageError: If the file is no usable picture.
        ValueError: If the array is no such picture.
    """
    return read_image(Path(image)) if isinstance(image, str | Path) else check_pixels(image)


def check_pixels(image: object) -> np.ndarray:
    """Return a picture as it is.

    Raises:
        ValueError: If it is not (H, W, 3) uint8.
    """
    if not isinstance(image, np.ndarray):
        hint = "; cv2.imread gives None for a file that it cannot read" if image is None else ""
        raise ValueError(f"a picture is a file's path, or (height, width, 3) uint8, BGR; got {image!r:.80}{hint}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"a picture is (height, width, 3) uint8, BGR; got {image.shape} {image.dtype}")
    return image


def check_boxes(boxes: Boxes | None, image: np.ndarray) -> np.ndarray:
    """Return (N, 4) float32 boxes, or the whole image's.

    Raises:
        ValueError: If there is no box, or one is empty, not finite or outside the image.
    """
    height, width = image.shape[:2]
    if boxes is None:
        return np.array([[0, 0, width, height]], dtype=np.float32)
    try:
        checked = np.asarray(boxes, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"boxes must be numbers x1, y1, x2, y2, got {boxes!r}") from error
    if checked.ndim != 2 or checked.shape[1:] != (4,) or not len(checked):
        raise ValueError(f"boxes must be one or more x1, y1, x2, y2, got an array of shape {checked.shape}")
    for box in checked:
        x1, y1, x2, y2 = (float(value) for value in box)
        if not np.isfinite(box).all() or x2 < x1 + 1 or y2 < y1 + 1:
            raise ValueError(
                f"box {[x1, y1, x2, y2]} is empty: it must be x1, y1, x2, y2 in pixels, at least one wide and high"
            )
        if max(x2 - x1, y2 - y1) > MAX_BOX_PER_IMAGE * max(width, height):
            raise ValueError(
                f"box {[x1, y1, x2, y2]} is over {MAX_BOX_PER_IMAGE} times as large as the image of {width} x {height}"
            )
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise ValueError(f"box {[x1, y1, x2, y2]} lies outside the image of {width} x {height} pixels")
    return checked
