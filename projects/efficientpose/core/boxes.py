"""The box to look for a person in, from keypoints that were found before."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.images import read_image

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


BOX_MARGIN: Final = 0.15
"""What is added on every side of the keypoints' box, per its longer side: head, hands and feet go beyond the joints."""

MIN_MEAN_SCORE: Final = 0.25
"""Below it, a person counts as lost: sure poses score about 0.5, what is seen of no person less than 0.2."""

MIN_KEYPOINT_SCORE: Final = 0.1
MIN_KEYPOINTS: Final = 4


def box_around_pose(
    keypoints: np.ndarray, *, image_size: tuple[int, int], margin: float = BOX_MARGIN
) -> NDArray[np.float32] | None:
    """Return the box around the keypoints that are sure, with a margin, cut at the picture's edge.

    Args:
        keypoints: (K, 3) x, y, score in image pixels.
        image_size: (width, height).
        margin: What is added on every side, per the longer side.

    Returns:
        (4,) x1, y1, x2, y2; None if fewer than four keypoints are sure or the box is less than a pixel wide or high.
    """
    sure = keypoints[keypoints[:, 2] >= MIN_KEYPOINT_SCORE, :2]
    if len(sure) < MIN_KEYPOINTS:
        return None
    low, high = sure.min(axis=0), sure.max(axis=0)
    added = margin * float((high - low).max())
    low, high = np.maximum(low - added, 0), np.minimum(high + added, image_size)
    return np.concatenate((low, high)).astype(np.float32) if (high - low).min() >= 1 else None


def box_to_follow(
    keypoints: np.ndarray,
    *,
    image_size: tuple[int, int],
    margin: float = BOX_MARGIN,
    min_mean_score: float = MIN_MEAN_SCORE,
) -> NDArray[np.float32] | None:
    """Return where to look for a person in the next frame, as :func:`box_around_pose`; None if the person is lost."""
    if not keypoints[:, 2].mean() >= min_mean_score:  # NaN is lost
        return None
    return box_around_pose(keypoints, image_size=image_size, margin=margin)
