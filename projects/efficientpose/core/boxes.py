"""Bounding boxes: checks, margins, and the box in which to look for a person next, from keypoints."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_BOX_PER_IMAGE = 10

Boxes = Sequence[Sequence[float]] | np.ndarray


def check_boxes(boxes: Boxes | None, image: np.ndarray) -> np.ndarray:
    """Return boxes as (N, 4) float32; without boxes, one of the whole image.

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
        name = f"box {[x1, y1, x2, y2]}"
        if not np.isfinite(box).all() or x2 < x1 + 1 or y2 < y1 + 1:
            raise ValueError(f"{name} is empty: it must be x1, y1, x2, y2 in pixels, at least one wide and high")
        if max(x2 - x1, y2 - y1) > MAX_BOX_PER_IMAGE * max(width, height):
            raise ValueError(f"{name} is over {MAX_BOX_PER_IMAGE} times as large as the image of {width} x {height}")
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise ValueError(f"{name} lies outside the image of {width} x {height} pixels")
    return checked


BOX_MARGIN: Final = 0.15  # per the longer side of the keypoints' box: head, hands and feet go beyond the keypoints
MIN_MEAN_SCORE: Final = 0.25  # below it, a person counts as lost: clear poses score about 0.5, background less than 0.2
MIN_KEYPOINT_SCORE: Final = 0.1
MIN_KEYPOINTS: Final = 4


def pad_boxes(boxes: np.ndarray, *, margin: float = BOX_MARGIN) -> np.ndarray:
    """Return boxes (..., 4) with a margin on every side, per the box's longer side."""
    sides = (boxes[..., 2:] - boxes[..., :2]).max(axis=-1, keepdims=True)
    added = (margin * sides.astype(np.float64)).astype(boxes.dtype)
    return np.concatenate((boxes[..., :2] - added, boxes[..., 2:] + added), axis=-1)


def box_around_pose(
    keypoints: np.ndarray, *, image_size: tuple[int, int], margin: float = BOX_MARGIN
) -> NDArray[np.float32] | None:
    """Return the box (4,) around the confident keypoints (K, 3) in image pixels, with a margin, clipped to the image.

    None if fewer than four keypoints are confident or the box is less than a pixel wide or high.
    """
    sure = keypoints[keypoints[:, 2] >= MIN_KEYPOINT_SCORE, :2]
    if len(sure) < MIN_KEYPOINTS:
        return None
    low, high = sure.min(axis=0), sure.max(axis=0)
    box = pad_boxes(np.concatenate((low, high)), margin=margin)
    low, high = np.maximum(box[:2], 0), np.minimum(box[2:], image_size)
    return np.concatenate((low, high)).astype(np.float32) if (high - low).min() >= 1 else None


def box_to_follow(
    keypoints: np.ndarray,
    *,
    image_size: tuple[int, int],
    margin: float = BOX_MARGIN,
    min_mean_score: float = MIN_MEAN_SCORE,
) -> NDArray[np.float32] | None:
    """Return :func:`box_around_pose`, in which to look for a person in the next frame; None if the person is lost."""
    is_seen = keypoints[:, 2].mean() >= min_mean_score  # NaN is lost
    return box_around_pose(keypoints, image_size=image_size, margin=margin) if is_seen else None
