"""What inference gives back, and ``predictions.json``."""

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
    """One person in a picture, in pixel-centre indices of that picture.

    Attributes:
        bbox: (4,) the region taken as the person, as x1, y1, x2, y2.
        keypoints: (K, 3) x, y and score in the skeleton's order: MPII's, but for networks of one's own. The score is
            the heatmap's peak, about 0 to 1.
        peaks: (K, M, 3) x, y and score of up to M peaks of each heatmap, highest first, the keypoint itself included;
            NaN where there are fewer. None where the estimator was not asked for them.
    """

    bbox: np.ndarray
    keypoints: np.ndarray
    peaks: np.ndarray | None = None


class CropMaps(NamedTuple):
    """What the network sees of one person and what it answers.

    Attributes:
        crop: (H, W, 3) uint8, BGR: the network's input.
        heatmaps: (K, h, w), in the order of the keypoints, at full resolution or at a stride.
        pafs: (2L, H / 8, W / 8); None for a network without them.
    """

    crop: np.ndarray
    heatmaps: np.ndarray
    pafs: np.ndarray | None


class Estimator(Protocol):
    """Whatever finds poses: the MMPose model, or an exported file.

    Attributes:
        name: What to call it in results.
    """

    name: str

    def predict(self, image: np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find the pose of each person; None takes the whole image as one.

        Args:
            image: (H, W, 3) uint8, BGR.
            boxes: (N, 4) people as x1, y1, x2, y2 in image pixels.

        Raises:
            ValueError: If either is unusable.
        """
        ...

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return what the network sees of one person, and its maps.

        Raises:
            ValueError: If image or box is unusable.
        """
        ...


@runtime_checkable
class StagedEstimator(Protocol):
    """An estimator whose work on a picture comes in three steps, which may run in three threads."""

    def prepare(self, image: np.ndarray, boxes: Boxes | None = None) -> Any:
        """Do what comes before the network; raises ValueError if image or boxes are unusable."""
        ...

    def infer(self, prepared: Any) -> Any:
        """Run the network."""
        ...

    def finish(self, prepared: Any, answer: Any) -> tuple[Pose, ...]:
        """Read the poses off the network's answer."""
        ...


def skeleton_of(estimator: Estimator) -> Skeleton:
    """Return what an estimator's poses consist of: its ``skeleton``, or MPII's where it has none."""
    return getattr(estimator, "skeleton", MPII_SKELETON)


@dataclass(frozen=True, kw_only=True)
class ImagePoses:
    """The people in one picture of ``width`` × ``height`` pixels."""

    file: str
    width: int
    height: int
    instances: tuple[Pose, ...]


def as_document(images: Sequence[ImagePoses], *, model: str, skeleton: Skeleton = MPII_SKELETON) -> dict[str, Any]:
    """Return what ``predictions.json`` holds."""
    return {
        "model": model,
        "keypoint_names": list(skeleton.keypoint_names),
        "skeleton": [list(limb) for limb in skeleton.limbs],
        "images": [
            {
                "file": image.file,
                "width": image.width,
                "height": image.height,
                "instances": [
                    {
                        "bbox": [round(float(value), 3) for value in pose.bbox],
                        "keypoints": [[round(float(value), 4) for value in keypoint] for keypoint in pose.keypoints],
                    }
                    for pose in image.instances
                ],
            }
            for image in images
        ],
    }


def write_predictions(
    images: Sequence[ImagePoses], path: Path, *, model: str, skeleton: Skeleton = MPII_SKELETON
) -> None:
    """Write ``predictions.json`` so that it is never half a file.

    Args:
        images: What was found.
        path: The file to write.
        model: Name of the variant.
        skeleton: Of the poses.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as partial:
        document = as_document(images, model=model, skeleton=skeleton)
        partial.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
