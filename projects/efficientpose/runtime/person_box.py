"""The box to look for a person in, from keypoints that were found before."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

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
