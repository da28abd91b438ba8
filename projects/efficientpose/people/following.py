"""Follow one person through a video: the next frame's box comes from this frame's keypoints."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from efficientpose.core.boxes import BOX_MARGIN, MIN_MEAN_SCORE, Boxes, box_to_follow
from efficientpose.core.poses import CropMaps, Estimator, Pose, skeleton_of
from efficientpose.core.similarity import box_overlaps
from efficientpose.people.search import find_people

FRAMES_BETWEEN_SEARCHES: Final = 10
"""A search takes as long as eighty frames, so while nobody is there it is not made in each."""


class Follower:
    """Looks for one person where the last frame's was; a drop-in for the estimator it holds.

    Frames are given in order. The first, unless told otherwise, and each one after the person was lost is taken as a
    whole; where that shows nobody, the picture is searched through windows of several sizes: in the first such frame,
    and then in every tenth. Of several people the search takes the one where the person was last, else the surest. A
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
        """Find the person in the next frame.

        Args:
            image: (H, W, 3) uint8, BGR.
            boxes: One box x1, y1, x2, y2 to look in, in place of the last frame's.

        Returns:
            One pose; of low scores where nobody is found.

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
        """Return what the network sees of a box, or of the whole image, and its maps.

        Raises:
            ValueError: If image or box is unusable.
        """
        return self._estimator.predict_maps(image, box)

    def _search(self, image: np.ndarray) -> Pose | None:
        """Return the person if it is time to search and there is one; the next frame's box is then theirs."""
        if self._frames_to_search:
            self._frames_to_search -= 1
            return None
        self._frames_to_search = FRAMES_BETWEEN_SEARCHES - 1
        people = find_people(self._estimator, image)
        boxes = [self._box_around(pose, image) for pose in people]
        known = [(pose, box) for pose, box in zip(people, boxes, strict=True) if box is not None]
        if not known:
            return None
        pose, self._next_box = known[self._choose(np.array([box for _, box in known]))]
        self._frames_to_search = 0
        return pose

    def _choose(self, boxes: np.ndarray) -> int:
        """Return whose box overlaps most with where the person was last; the first if none does."""
        if self._last_box is None:
            return 0
        return int(box_overlaps(boxes, self._last_box[None])[:, 0].argmax())

    def _box_around(self, pose: Pose, image: np.ndarray) -> np.ndarray | None:
        size = (image.shape[1], image.shape[0])
        return box_to_follow(pose.keypoints, image_size=size, margin=self._margin, min_mean_score=self._min_mean_score)
