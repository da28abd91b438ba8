"""Scenes of several people: how an image lies in the network's input, and the poses that are decoded from it.

The geometry is that of MMPose's ``BottomupResize``: the aspect ratio is kept, the image's centre goes to the input's
centre, and the rest is black. An image that is scaled down is antialiased first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from efficientpose.core.boxes import pad_boxes
from efficientpose.core.crops import smooth
from efficientpose.core.decoding import STRIDE, ScenePeakFinder
from efficientpose.core.grouping import GroupedPerson, GroupingRule, PeopleGrouper
from efficientpose.core.poses import Pose
from efficientpose.core.similarity import boxes_around
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS


class SceneFrame(NamedTuple):
    """How an image lies in the network's input; sizes are (width, height) in pixels."""

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    zoom: float  # input pixels per image pixel

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return points (..., 2) of the input in the image's pixel-centre indices."""
        centre, target = np.array(self.input_size) / 2, np.array(self.image_size) / 2
        moved: NDArray[np.floating] = (points - centre) / self.zoom + target
        return moved

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Return the input, (input height, input width, 3) uint8, of an image (H, W, 3) uint8, antialiased."""
        smoothed = smooth(image, corners=np.array([(0, 0), self.image_size]), factor=1 / self.zoom)
        zoom = self.zoom * smoothed.block
        matrix = np.array([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]])
        matrix[:, 2] = np.array(self.input_size) / 2 - zoom * smoothed.locate(np.array(self.image_size) / 2)
        return cv2.warpAffine(smoothed.image, matrix, self.input_size, flags=cv2.INTER_LINEAR)


def fit_into(image_size: tuple[int, int], input_size: tuple[int, int]) -> SceneFrame:
    """Return the largest frame of an image in an input of a fixed size."""
    zoom = min(inner / outer for inner, outer in zip(input_size, image_size, strict=True))
    return SceneFrame(image_size=image_size, input_size=input_size, zoom=zoom)


def with_shorter_side(image_size: tuple[int, int], *, shorter_side: int) -> SceneFrame:
    """Return the frame of an image in an input of its own shape: the shorter side as given, both multiples of 8.

    Raises:
        ValueError: If the side is below 8.
    """
    if shorter_side < STRIDE:
        raise ValueError(f"the shorter side of an input is at least {STRIDE} pixels, got {shorter_side}")
    zoom = shorter_side / min(image_size)
    width, height = (int(np.ceil(round(side * zoom, 6) / STRIDE)) * STRIDE for side in image_size)
    return SceneFrame(image_size=image_size, input_size=(width, height), zoom=zoom)


KEPT_SHAPES: Final = 4  # heatmap sizes whose peak finders are kept


@dataclass(frozen=True)
class ScenePose(Pose):
    """One person of a scene; a keypoint that was not found has x, y and score 0, as in COCO."""

    score: float = field(kw_only=True)  # as in GroupedPerson


class PeopleDecoder:
    """Decodes people from a scene's heatmaps and part affinity fields of any size.

    Args:
        limbs: Pairs (proximal, distal) of keypoint indices, in the order of the fields.
        keypoint_names: In the order of the heatmaps.
        blur_sigma: As for :class:`~efficientpose.core.decoding.ScenePeakFinder`, as is ``radius``.
        min_peak: Peaks below it are left out.
        rule: How candidates are grouped and which people are kept.

    Raises:
        ValueError: If limbs form a cycle or a number is out of its range.
    """

    def __init__(
        self,
        *,
        limbs: Sequence[tuple[int, int]] = LIMBS,
        keypoint_names: Sequence[str] = KEYPOINT_NAMES,
        blur_sigma: float = 1.0,
        radius: float = 12.0,
        min_peak: float = 0.1,
        rule: GroupingRule | None = None,
    ) -> None:
        self._grouper = PeopleGrouper(limbs=limbs, keypoint_names=keypoint_names, rule=rule)

        def make_finder(map_shape: tuple[int, int]) -> ScenePeakFinder:
            return ScenePeakFinder(map_shape, blur_sigma=blur_sigma, radius=radius, min_score=min_peak)

        make_finder((1, 1))  # a number out of its range fails at once
        self._finder_for = lru_cache(maxsize=KEPT_SHAPES)(make_finder)

    def group(self, heatmaps: np.ndarray, pafs: np.ndarray) -> tuple[GroupedPerson, ...]:
        """Find the people in the input's frame, best first, from heatmaps (K, h, w) and fields (2L, h, w), stride 8.

        Raises:
            ValueError: If the maps do not fit together.
        """
        if pafs.shape[1:] != heatmaps.shape[1:]:
            raise ValueError(f"heatmaps {heatmaps.shape} and part affinity fields {pafs.shape} are of different sizes")
        height, width = heatmaps.shape[1:]
        candidates = self._finder_for((int(height), int(width))).find(heatmaps)
        return self._grouper.group(candidates, pafs, stride=STRIDE)

    def decode(self, heatmaps: np.ndarray, pafs: np.ndarray, frame: SceneFrame) -> tuple[ScenePose, ...]:
        """Find the people in the image, best first; arguments as for :meth:`group`.

        Keypoints in the black margin beside the image are left out.
        """
        people = self.group(heatmaps, pafs)
        poses = (_to_pose(person, frame) for person in people)
        return tuple(pose for pose in poses if pose.keypoints[:, 2].any())


def _to_pose(person: GroupedPerson, frame: SceneFrame) -> ScenePose:
    points = frame.to_image(person.keypoints)
    size = np.array(frame.image_size)
    there = np.isfinite(points).all(axis=1)
    there &= np.all((np.nan_to_num(points) >= -0.5) & (np.nan_to_num(points) <= size - 0.5), axis=1)
    keypoints = np.where(there[:, None], np.column_stack((points, person.scores)), 0).astype(np.float32)
    (box,) = boxes_around(np.where(there[:, None], points, np.nan)[None])
    bbox = pad_boxes(box).clip(0, np.tile(size, 2))
    return ScenePose(bbox=bbox.astype(np.float32), keypoints=keypoints, score=person.score)
