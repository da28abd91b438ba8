"""Find people with the pose network itself: in windows of several sizes, and again around what it found.

The heatmaps' peaks are high where one person fills the window, and low where there is no person or the scale is wrong,
so the mean score says where to look closer. It needs no detector, and takes about as long as eighty people.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.boxes import box_around_pose
from efficientpose.core.crops import PERSON_PADDING
from efficientpose.core.images import check_image
from efficientpose.core.poses import Estimator, Pose, skeleton_of
from efficientpose.core.similarity import (
    box_areas,
    box_shares_inside,
    boxes_around,
    keep_distinct,
    keypoint_spreads,
    oks,
)

WINDOW_SIZES: Final = (1.0, 0.7, 0.5, 0.35)
"""Sides of the windows, per the image's shorter side. A person half as high as a window is still found in it."""

OVERLAP: Final = 0.5
MIN_CANDIDATE_SCORE: Final = 0.15
MAX_CANDIDATES: Final = 16
NUM_REFINEMENTS: Final = 2
MIN_PERSON_SCORE: Final = 0.3
SAME_PERSON: Final = 0.5  # object keypoint similarity from which two poses are of one person

PART_OF_PERSON: Final = 0.8
"""Share of a pose's box inside a better and larger one's from which it is a part of that person, cut by a window."""


class SearchDetector:
    """A person detector that searches with :func:`find_people`; ``estimator`` finds the pose in a box."""

    title = "the pose network itself, in windows of several sizes"

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator

    def detect(self, image: np.ndarray) -> NDArray[np.float32]:
        """Return the people in an image (H, W, 3) uint8, BGR: (N, 5) x1, y1, x2, y2 and mean score, best first."""
        size = (image.shape[1], image.shape[0])
        people = find_people(self._estimator, image)
        pairs = [(box_around_pose(pose.keypoints, image_size=size), _mean_score(pose)) for pose in people]
        return np.array([(*box, score) for box, score in pairs if box is not None], np.float32).reshape(-1, 5)


def find_people(
    estimator: Estimator, image: np.ndarray, *, min_mean_score: float = MIN_PERSON_SCORE
) -> tuple[Pose, ...]:
    """Find all people in an image (H, W, 3) uint8, BGR, without boxes, best first; raises ValueError if it is unusable.

    The estimator finds the pose in a box; a person of a mean score below ``min_mean_score`` does not count.
    """
    height, width = check_image(image).shape[:2]
    windows = [*_windows(width, height), np.array((0, 0, width, height), np.float32)]
    best = sorted(estimator.predict(image, np.array(windows)), key=_mean_score, reverse=True)[:MAX_CANDIDATES]
    best = [pose for pose in best if _mean_score(pose) >= MIN_CANDIDATE_SCORE]
    for _ in range(NUM_REFINEMENTS):
        best = _refine(estimator, image, best)
    spreads = keypoint_spreads(skeleton_of(estimator).keypoint_names)
    return tuple(pose for pose in _without_duplicates(best, spreads=spreads) if _mean_score(pose) >= min_mean_score)


def _windows(width: int, height: int) -> Iterator[NDArray[np.float32]]:
    """Yield overlapping squares as the boxes that grow to them."""
    for size in WINDOW_SIZES:
        side = size * min(width, height)
        half = side / 2 / PERSON_PADDING
        for y in _centres(height, side):
            for x in _centres(width, side):
                yield np.array((x - half, y - half, x + half, y + half), np.float32)


def _centres(length: float, side: float) -> NDArray[np.float64]:
    number = 1 + int(np.ceil((length - side) / (side * (1 - OVERLAP)) - 1e-9))
    return np.linspace(side / 2, length - side / 2, number) if number > 1 else np.array((length / 2,))


def _mean_score(pose: Pose) -> float:
    return float(np.nan_to_num(pose.keypoints[:, 2]).mean())


def _refine(estimator: Estimator, image: np.ndarray, poses: Sequence[Pose]) -> list[Pose]:
    """Look again around each pose, and keep the better of the two."""
    size = (image.shape[1], image.shape[0])
    boxes = [box_around_pose(pose.keypoints, image_size=size) for pose in poses]
    known = [box for box in boxes if box is not None]
    again = iter(estimator.predict(image, np.array(known)) if known else ())
    return [
        pose if box is None else max(pose, next(again), key=_mean_score) for pose, box in zip(poses, boxes, strict=True)
    ]


def _without_duplicates(poses: Sequence[Pose], *, spreads: NDArray[np.float64]) -> list[Pose]:
    """Return the poses, best first, without those of a person or of a part of one who has a better pose."""
    ordered = sorted(poses, key=_mean_score, reverse=True)
    if not ordered:
        return []
    keypoints = np.stack([pose.keypoints[:, :2] for pose in ordered]).astype(float)
    boxes = boxes_around(keypoints)
    areas = np.nan_to_num(box_areas(boxes))
    larger = np.maximum(areas[:, None], areas[None])
    likeness = oks(keypoints, keypoints, areas=larger, spreads=spreads)
    is_part = (box_shares_inside(boxes, boxes) >= PART_OF_PERSON) & (areas[:, None] <= areas[None])
    return [ordered[index] for index in keep_distinct((likeness >= SAME_PERSON) | is_part)]
