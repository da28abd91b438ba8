"""Poses, the protocols of their estimators, and ``predictions.json``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from efficientpose.core.boxes import Boxes
from efficientpose.core.files import replacing
from efficientpose.core.skeleton import MPII_SKELETON, Skeleton


@dataclass(frozen=True)
class Pose:
    """One person in an image, in pixel-centre indices of that image.

    Attributes:
        bbox: (4,) the person's bounding box x1, y1, x2, y2.
        keypoints: (K, 3) x, y and score in the skeleton's order. The score is the heatmap's peak, about 0 to 1.
        peaks: (K, M, 3) x, y and score of up to M peaks of each heatmap, highest first, the keypoint itself included;
            NaN where there are fewer. None where the estimator was not asked for them.
    """

    bbox: np.ndarray
    keypoints: np.ndarray
    peaks: np.ndarray | None = None


class CropMaps(NamedTuple):
    """One person's crop and the network's output."""

    crop: np.ndarray  # (H, W, 3) uint8, BGR: the network's input
    heatmaps: np.ndarray  # (K, h, w), in the order of the keypoints, at full resolution or at a stride
    pafs: np.ndarray | None  # (2L, H / 8, W / 8); None for a network without them


class Estimator(Protocol):
    """Finds poses: the MMPose model, or an exported file."""

    name: str  # in results

    def predict(self, image: np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find the pose in each box (N, 4) x1, y1, x2, y2 of an image (H, W, 3) uint8, BGR; None is the whole image.

        Raises:
            ValueError: If either is unusable.
        """
        ...

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return one person's crop and the network's output; raises ValueError if image or box is unusable."""
        ...


@runtime_checkable
class StagedEstimator(Protocol):
    """An estimator that works in three steps, which may run in three threads."""

    def prepare(self, image: np.ndarray, boxes: Boxes | None = None) -> Any:
        """Cut the crops; raises ValueError if image or boxes are unusable."""
        ...

    def infer(self, prepared: Any) -> Any:
        """Run the network."""
        ...

    def finish(self, prepared: Any, outputs: Any) -> tuple[Pose, ...]:
        """Decode the poses from the network's output."""
        ...


def skeleton_of(estimator: Estimator) -> Skeleton:
    """Return the skeleton of an estimator's poses, MPII's if it names none."""
    return getattr(estimator, "skeleton", MPII_SKELETON)


@dataclass(frozen=True, kw_only=True)
class ImagePoses:
    """The people in one image of ``width`` × ``height`` pixels."""

    file: str
    width: int
    height: int
    instances: tuple[Pose, ...]


def as_document(images: Sequence[ImagePoses], *, model: str, skeleton: Skeleton = MPII_SKELETON) -> dict[str, Any]:
    """Return the content of ``predictions.json``; ``model`` is the variant's name."""

    def describe(pose: Pose) -> dict[str, Any]:
        keypoints = [[round(float(value), 4) for value in keypoint] for keypoint in pose.keypoints]
        return {"bbox": [round(float(value), 3) for value in pose.bbox], "keypoints": keypoints}

    def describe_image(image: ImagePoses) -> dict[str, Any]:
        instances = [describe(pose) for pose in image.instances]
        return {"file": image.file, "width": image.width, "height": image.height, "instances": instances}

    return {
        "model": model,
        "keypoint_names": list(skeleton.keypoint_names),
        "skeleton": [list(limb) for limb in skeleton.limbs],
        "images": [describe_image(image) for image in images],
    }


def write_predictions(
    images: Sequence[ImagePoses], path: Path, *, model: str, skeleton: Skeleton = MPII_SKELETON
) -> None:
    """Write ``predictions.json`` atomically; ``model`` is the variant's name. Raises OSError if it cannot."""
    with replacing(path) as partial:
        document = as_document(images, model=model, skeleton=skeleton)
        partial.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
