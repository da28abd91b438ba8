"""The people that a person detector finds, each looked for in a bounding box of their own."""

from collections.abc import Sequence

import numpy as np

from efficientpose.core.boxes import Boxes, box_to_follow
from efficientpose.core.images import check_image
from efficientpose.core.poses import CropMaps, Estimator, Pose, skeleton_of
from efficientpose.people.detectors import PersonDetector, suppress_overlapping

MIN_SIDE = 2  # boxes that are narrower or lower inside the image are left out, pixels
MAX_FOLLOWED_OVERLAP = 0.7  # IoU from which two people who are followed have become one


class DetectedPeople:
    """Looks for people where a detector finds them; a drop-in for the estimator it holds.

    With ``detect_every`` above 1, frames are given in order, and between the frames that the detector sees each person
    is looked for where the last frame's pose was. The detector also sees the frames with no person left to follow.
    """

    def __init__(self, estimator: Estimator, detector: PersonDetector, *, detect_every: int = 1) -> None:
        self.name = estimator.name
        self.skeleton = skeleton_of(estimator)
        self._estimator = estimator
        self._detector = detector
        self._detect_every = detect_every
        self._num_frames = 0
        self._followed = np.empty((0, 4), np.float32)

    def predict(self, image: np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find all people in an image (H, W, 3) uint8, BGR.

        Raises:
            ValueError: If the image is unusable, there are boxes, or the detector gives something else than people.
        """
        if boxes is not None:
            raise ValueError(f"people are found by a detector here: leave out the {len(boxes)} boxes")
        height, width = check_image(image).shape[:2]
        people = self._followed
        if self._num_frames % self._detect_every == 0 or not len(people):
            people = check_found(self._detector.detect(image), image_size=(width, height), source=self._detector)[:, :4]
        self._num_frames += 1
        poses = self._estimator.predict(image, people) if len(people) else ()
        if self._detect_every > 1:
            self._followed = _boxes_to_follow(poses, image_size=(width, height))
        return poses

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return the estimator's crop and maps of a box, or of the whole image."""
        return self._estimator.predict_maps(image, box)


def check_found(found: np.ndarray, *, image_size: tuple[int, int], source: object) -> np.ndarray:
    """Return what a detector found, (N, 5) float32, as far as it lies in the image.

    Raises:
        ValueError: If it is something else than boxes with scores.
    """
    people = np.asarray(found, dtype=np.float32)
    if people.ndim != 2 or people.shape[1] != 5 or not np.isfinite(people).all():
        raise ValueError(
            f"{type(source).__name__}.detect must give (N, 5) finite numbers, x1, y1, x2, y2 and score of N people; "
            f"it gave {people.shape if np.isfinite(people).all() else people.tolist()}"
        )
    low, high = np.maximum(people[:, :2], 0), np.minimum(people[:, 2:4], image_size)
    inside = np.concatenate((low, high, people[:, 4:]), axis=1)
    return inside[(high - low).min(axis=1, initial=np.inf) >= MIN_SIDE]


def _boxes_to_follow(poses: Sequence[Pose], *, image_size: tuple[int, int]) -> np.ndarray:
    """Return the boxes, (N, 4), of the people whose poses score well enough to be followed."""
    pairs = [(box_to_follow(pose.keypoints, image_size=image_size), pose.keypoints[:, 2].mean()) for pose in poses]
    people = np.array([(*box, score) for box, score in pairs if box is not None], np.float32).reshape(-1, 5)
    return suppress_overlapping(people, max_overlap=MAX_FOLLOWED_OVERLAP)[:, :4]
