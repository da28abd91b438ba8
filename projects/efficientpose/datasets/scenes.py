"""Train on scenes of several people: a window around one of them, with the others in it."""

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmengine.fileio import exists
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS, TRANSFORMS

from efficientpose.core.skeleton import NUM_KEYPOINTS


@DATASETS.register_module()
class PeopleDataset(BaseCocoStyleDataset):
    """MMPose's COCO-style dataset, bottom-up, of people with MPII's 16 keypoints, checked when loaded.

    Keypoints are 0-based pixel-centre indices; visibility 0 is not labelled. A sample has all people of an image:
    ``keypoints`` (N, 16, 2), ``keypoints_visible`` (N, 16), ``bbox`` (N, 4), and ``raw_ann_info``, their annotations.

    Args:
        ann_file: Annotations, ``.json``.
        data_mode: "bottomup".
        **kwargs: Arguments of ``mmpose.datasets.BaseCocoStyleDataset``, which raises on any it does not know.

    Raises:
        FileNotFoundError: If the annotations or an image is absent.
        ValueError: If a person has another number of keypoints, or there is none.
    """

    METAINFO: dict = dict(from_file="configs/_base_/datasets/mpii.py")

    def __init__(self, ann_file: str = "", *, data_mode: Literal["bottomup"] = "bottomup", **kwargs: Any) -> None:
        if data_mode != "bottomup":
            raise ValueError(f"a sample here is a whole scene: data_mode is 'bottomup', not {data_mode!r}")
        super().__init__(ann_file=ann_file, data_mode=data_mode, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load one entry an image."""
        if not exists(self.ann_file):
            raise FileNotFoundError(f"{self.ann_file!r}: no such annotation file; expected COCO's format")
        scenes: list[dict] = super().load_data_list()
        if not any(scene["id"] for scene in scenes):
            raise ValueError(f"{self.ann_file}: there is no person in it; expected annotations with bbox and keypoints")
        for scene in scenes:
            if not Path(scene["img_path"]).is_file():
                raise FileNotFoundError(f"{scene['img_path']}: no such image, but {self.ann_file} lists it")
        return scenes

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """Parse one person's annotation (MMPose's contract)."""
        annotation = raw_data_info["raw_ann_info"]
        if "keypoints" in annotation and len(annotation["keypoints"]) != 3 * NUM_KEYPOINTS:
            raise ValueError(
                f"{self.ann_file}: annotation {annotation.get('id')} has {len(annotation['keypoints'])} numbers as "
                f"keypoints, expected {3 * NUM_KEYPOINTS}: x, y and visibility of each"
            )
        parsed: dict | None = super().parse_data_info(raw_data_info)
        return parsed


@TRANSFORMS.register_module()
class SceneWindow(BaseTransform):
    """Cut a random window out of a scene of several people, scaled, rotated and shifted.

    A person is chosen, whose box gets a size and a place in the window; the others come along. Outside the image it is
    black.

    Required keys: ``img``; ``keypoints`` (N, K, 2), ``keypoints_visible`` (N, K) and ``bbox`` (N, 4) in image pixels.

    Changed keys: ``img``, ``img_shape``, and ``bbox``, which is then around the rotated box in window pixels.

    Added keys: ``transformed_keypoints`` (N, K, 2) in window pixels, and ``input_size``.

    Args:
        input_size: (width, height) of the window, pixels.
        person_size: Smallest and largest longer side of the chosen person's box in the window, pixels.
        max_rotation: Degrees, either way.
        max_shift: How far the person's middle may lie from the window's, per half the window's side.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        *,
        input_size: tuple[int, int],
        person_size: tuple[float, float],
        max_rotation: float = 20.0,
        max_shift: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 < person_size[0] <= person_size[1]:
            raise ValueError(f"person_size is the smallest and the largest size, above 0, got {tuple(person_size)}")
        if min(input_size) < 1 or max_rotation < 0 or max_shift < 0:
            raise ValueError(
                "input_size must be positive, max_rotation and max_shift at least 0, "
                f"got {tuple(input_size)}, {max_rotation} and {max_shift}"
            )
        self.input_size = (int(input_size[0]), int(input_size[1]))
        self.person_size = (float(person_size[0]), float(person_size[1]))
        self.max_rotation = max_rotation
        self.max_shift = max_shift

    @cache_randomness
    def _draw(self, num_people: int) -> tuple[int, float, float, np.ndarray]:
        """Return the person's index, the size, the rotation in degrees and the shift (2,) in window pixels."""
        size = float(np.exp(np.random.uniform(*np.log(self.person_size))))
        rotation = float(np.random.uniform(-self.max_rotation, self.max_rotation))
        shift = np.random.uniform(-self.max_shift, self.max_shift, 2) * np.array(self.input_size) / 2
        return int(np.random.randint(num_people)), size, rotation, shift

    def transform(self, results: dict) -> dict:
        """Cut the window (MMCV's contract)."""
        boxes = np.asarray(results["bbox"], np.float64)
        chosen, size, rotation, shift = self._draw(len(boxes))
        low, high = boxes[chosen, :2], boxes[chosen, 2:]
        zoom = size / max(1.0, float((high - low).max()))
        matrix = window_matrix((low + high) / 2, np.array(self.input_size) / 2 + shift, zoom=zoom, rotation=rotation)
        results["img"] = cv2.warpAffine(results["img"], matrix, self.input_size, flags=cv2.INTER_LINEAR)
        results["img_shape"] = self.input_size[::-1]
        results["input_size"] = self.input_size
        results["transformed_keypoints"] = _move(results["keypoints"][..., :2], matrix).astype(np.float32)
        corners = _move(boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]], matrix)
        results["bbox"] = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1).astype(np.float32)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(input_size={self.input_size}, person_size={self.person_size}, "
            f"max_rotation={self.max_rotation}, max_shift={self.max_shift})"
        )


def window_matrix(source: np.ndarray, target: np.ndarray, *, zoom: float, rotation: float) -> np.ndarray:
    """Return the (2, 3) matrix that scales, rotates counter-clockwise as seen, and moves one point to another.

    ``source`` (2,), in image pixels, goes to ``target`` (2,), in window pixels; ``zoom`` is window pixels per image
    pixel, ``rotation`` degrees.
    """
    matrix: np.ndarray = cv2.getRotationMatrix2D((0.0, 0.0), rotation, zoom)
    matrix[:, 2] = target - matrix[:, :2] @ source
    return matrix


def _move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return points (..., 2) under an affine matrix."""
    moved: np.ndarray = points @ matrix[:, :2].T + matrix[:, 2]
    return moved
