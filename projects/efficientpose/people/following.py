"""Follow one person through a video: the next frame's box comes from this frame's keypoints."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from efficientpose.core.boxes import BOX_MARGIN, MIN_MEAN_SCORE, Boxes, box_to_follow
from efficientpose.core.poses import CropMaps, Estimator, Pose, skeleton_of
from efficientpose.core.similarity import box_overlaps
from efficientpose.people.search import find_people

FRAMES_BETWEEN_SEARCHES: Final = 10  # a search takes as long as eighty frames


class Follower:
    """Looks for one person where the last frame's pose was; a drop-in for the estimator it holds.

    Frames are given in order. The first, unless told otherwise, and each after the person was lost is looked at as a
    whole. Where that shows no person, windows of several sizes are searched: in the first such frame, then in every
    tenth. Of several people the search takes the one where the person was last, else the one with the best score. A
    person is lost when the mean of the scores falls below ``min_mean_score``, or fewer than four keypoints are sure.

    Args:
        estimator: What finds the pose in a box.
        start: The person in the first frame as x1, y1, x2, y2; None looks for one.
        margin: What is added on every side of the keypoints' box, per its longer side.
        min_mean_score: Below it, the person counts as lost.
    """

    def __init__(
        self,
        estimator: Estimator,
        *,
        start: Sequence[float] | None = None,
        margin: float = BOX_MARGIN,
        min_mean_score: float = MIN_MEAN_SCORE,
    ) -> None:
        self.name = estimator.name
        self.skeleton = skeleton_of(estimator)
        self._estimator = estimator
        self._margin = margin
        self._min_mean_score = min_mean_score
        self._next_box = None if start is None else np.array(start, np.float32)
        self._last_box = self._next_box
        self._frames_to_search = 0

    def predict(self, image: np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find the person in the next frame; the one pose has low scores where no person is found.

        Args:
            image: (H, W, 3) uint8, BGR.
            boxes: One box x1, y1, x2, y2 to look in, in place of the last frame's.

        Raises:
            ValueError: If the image is unusable, or there are several boxes.
        """
        if boxes is not None and len(boxes) != 1:
            raise ValueError(f"one person is followed, got {len(boxes)} boxes")
        given = boxes if boxes is not None else None if self._next_box is None else self._next_box[None]
        (pose,) = self._estimator.predict(image, given)
        self._next_box = self._box_around(pose, image)
        if self._next_box is not None:
            self._frames_to_search = 0
        elif boxes is None:
            pose = self._search(image) or pose
        if self._next_box is not None:
            self._last_box = self._next_box
        return (pose,)

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return the estimator's crop and maps of a box, or of the whole image."""
        return self._estimator.predict_maps(image, box)

    def _search(self, image: np.ndarray) -> Pose | None:
        """Return the person if it is time to search and there is one, and look there in the next frame."""
        if self._frames_to_search:
            self._frames_to_search -= 1
            return None
        self._frames_to_search = FRAMES_BETWEEN_SEARCHES - 1
        people = find_people(self._estimator, image)
        boxes = [self._box_around(pose, image) for pose in people]
        known = [(pose, box) for pose, box in zip(people, boxes, strict=True) if box is not None]
        if not known:
            return None
        overlaps = [0.0] * len(known)
        if self._last_box is not None:
            overlaps = box_overlaps(np.array([box for _, box in known]), self._last_box[None])[:, 0].tolist()
        pose, self._next_box = known[int(np.argmax(overlaps))]  # the first, which scores best, if none overlaps
        self._frames_to_search = 0
        return pose

    def _box_around(self, pose: Pose, image: np.ndarray) -> np.ndarray | None:
        size = (image.shape[1], image.shape[0])
        return box_to_follow(pose.keypoints, image_size=size, margin=self._margin, min_mean_score=self._min_mean_score)
