"""Follow one person through a video: the next frame's box comes from this frame's keypoints."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from efficientpose.runtime.boxes import Boxes
from efficientpose.runtime.predictions import CropMaps, Estimator, Pose

FOLLOW_MARGIN: Final = 0.15
"""What is added on every side of the keypoints' box, per its longer side: head, hands and feet go beyond the joints."""

MIN_MEAN_SCORE: Final = 0.2
"""Below it, the next frame is searched as a whole."""

MIN_KEYPOINT_SCORE: Final = 0.1
MIN_KEYPOINTS: Final = 4


class Follower:
    """Looks for one person where the last frame's was; a drop-in for the estimator it holds.

    Frames are given in order. The first, unless told otherwise, and each one after the person was lost is searched as a
    whole. A person is
    lost when the mean of the scores falls below ``min_mean_score``, or fewer than four keypoints are sure.

    Args:
        estimator: What finds the pose in a box.
        start: The person in the first frame as x1, y1, x2, y2; None searches it as a whole.
        margin: What is added on every side of the keypoints' box, per its longer side.
        min_mean_score: Below it, the person counts as lost.
    """

    def __init__(
        self,
        estimator: Estimator,
        *,
        start: Sequence[float] | None = None,
        margin: float = FOLLOW_MARGIN,
        min_mean_score: float = MIN_MEAN_SCORE,
    ) -> None:
        self.name = estimator.name
        self._estimator = estimator
        self._margin = margin
        self._min_mean_score = min_mean_score
        self._next_box = None if start is None else np.array(start, np.float32)

    def predict(self, image: np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find the person in the next frame.

        Args:
            image: (H, W, 3) uint8, BGR.
            boxes: One box x1, y1, x2, y2 to look in, in place of the last frame's.

        Raises:
            ValueError: If the image is unusable, or there are several boxes.
        """
        if boxes is not None and len(boxes) != 1:
            raise ValueError(f"one person is followed, got {len(boxes)} boxes")
        given = boxes if boxes is not None else None if self._next_box is None else self._next_box[None]
        poses = self._estimator.predict(image, given)
        height, width = image.shape[:2]
        self._next_box = self._box_around(poses[0], image_size=(width, height))
        return poses

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return what the network sees of a box, or of the whole image, and its maps.

        Raises:
            ValueError: If image or box is unusable.
        """
        return self._estimator.predict_maps(image, box)

    def _box_around(self, pose: Pose, *, image_size: tuple[int, int]) -> np.ndarray | None:
        scores = pose.keypoints[:, 2]
        sure = pose.keypoints[scores >= MIN_KEYPOINT_SCORE, :2]
        if len(sure) < MIN_KEYPOINTS or scores.mean() < self._min_mean_score:
            return None
        low, high = sure.min(axis=0), sure.max(axis=0)
        margin = self._margin * float((high - low).max())
        low, high = np.maximum(low - margin, 0), np.minimum(high + margin, image_size)
        return np.concatenate((low, high)).astype(np.float32) if (high - low).min() >= 1 else None
