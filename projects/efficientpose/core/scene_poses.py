"""From a scene's heatmaps and part affinity fields to everybody's pose in the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from efficientpose.core.grouping import GroupingRule, PeopleGrouper, Person
from efficientpose.core.poses import Pose
from efficientpose.core.scene_decoding import ScenePeakFinder
from efficientpose.core.scene_frame import STRIDE, SceneFrame
from efficientpose.core.similarity import boxes_around
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS

BOX_MARGIN: Final = 0.15
"""What a person's box has on every side beyond the joints, per its longer side."""

KEPT_SHAPES: Final = 4
"""Sizes of maps whose tables are kept."""


@dataclass(frozen=True)
class ScenePose(Pose):
    """Somebody among others; a joint that was not found has x, y and score 0, as in COCO.

    Attributes:
        score: Of the whole person, see :class:`~efficientpose.core.grouping.Person`.
    """

    score: float


class PeopleDecoder:
    """Finds people in a scene's maps of any size.

    Args:
        limbs: Pairs (proximal, distal) of keypoint indices, in the order of the fields.
        keypoint_names: In the order of the heatmaps.
        blur_sigma: Blur before peaks are looked for, pixels.
        radius: Distance in input pixels below which two peaks of one keypoint are one.
        min_peak: Peaks below it are left out.
        rule: How people are put together and which are kept.

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
            return ScenePeakFinder(map_shape, stride=STRIDE, blur_sigma=blur_sigma, radius=radius, min_score=min_peak)

        make_finder((1, 1))  # so that a number out of its range is told at once
        self._finder_for = lru_cache(maxsize=KEPT_SHAPES)(make_finder)

    def group(self, heatmaps: np.ndarray, pafs: np.ndarray) -> tuple[Person, ...]:
        """Find the people in the input's frame, best first.

        Args:
            heatmaps: (K, h, w) at stride 8.
            pafs: (2L, h, w).

        Raises:
            ValueError: If the maps do not fit together.
        """
        if pafs.shape[1:] != heatmaps.shape[1:]:
            raise ValueError(f"heatmaps {heatmaps.shape} and part affinity fields {pafs.shape} are of different sizes")
        height, width = heatmaps.shape[1:]
        candidates = self._finder_for((int(height), int(width))).find(heatmaps)
        return self._grouper.group(candidates, pafs, stride=STRIDE)

    def decode(self, heatmaps: np.ndarray, pafs: np.ndarray, frame: SceneFrame) -> tuple[ScenePose, ...]:
        """Find the people in the picture, best first; arguments as for :meth:`group`.

        Joints in the black margin that the picture does not reach are left out.
        """
        people = self.group(heatmaps, pafs)
        poses = (_to_pose(person, frame) for person in people)
        return tuple(pose for pose in poses if pose.keypoints[:, 2].any())


def _to_pose(person: Person, frame: SceneFrame) -> ScenePose:
    points = frame.to_image(person.keypoints)
    size = np.array(frame.image_size)
    there = np.isfinite(points).all(axis=1)
    there &= np.all((np.nan_to_num(points) >= -0.5) & (np.nan_to_num(points) <= size - 0.5), axis=1)
    keypoints = np.where(there[:, None], np.column_stack((points, person.scores)), 0).astype(np.float32)
    (box,) = boxes_around(np.where(there[:, None], points, np.nan)[None])
    margin = BOX_MARGIN * max(box[2] - box[0], box[3] - box[1])
    low, high = np.maximum(box[:2] - margin, 0), np.minimum(box[2:] + margin, size)
    return ScenePose(bbox=np.concatenate((low, high)).astype(np.float32), keypoints=keypoints, score=person.score)


def mirror_pafs(pafs: np.ndarray, *, limbs: Sequence[tuple[int, int]], flip_indices: Sequence[int]) -> np.ndarray:
    """Return the fields (2L, h, w) of a mirrored scene as those of the scene: sides swapped, x components negated.

    Raises:
        ValueError: If a limb has no counterpart on the other side.
    """
    known = [tuple(limb) for limb in limbs]
    opposite = [(flip_indices[proximal], flip_indices[distal]) for proximal, distal in known]
    if not set(opposite) <= set(known):
        raise ValueError(f"limbs {known} are not the same on both sides; leave out the flip test")
    fields = pafs.reshape(len(known), 2, *pafs.shape[1:])[[known.index(limb) for limb in opposite], :, :, ::-1]
    return (fields * np.array((-1, 1), pafs.dtype)[:, None, None]).reshape(pafs.shape)
