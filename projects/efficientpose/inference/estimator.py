"""Poses from pictures with the MMPose model, through MMPose's own inference functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmpose.apis import inference_topdown, init_model
from mmpose.models.pose_estimators import TopdownPoseEstimator

from efficientpose.locations import mpii_config_path
from efficientpose.runtime.images import read_image
from efficientpose.runtime.predictions import Pose
from efficientpose.variants import get_variant
from efficientpose.weights.checkpoint import load_checkpoint
from efficientpose.weights.find import find_weights

MAX_BOX_PER_IMAGE = 10


class CropMaps(NamedTuple):
    """What the network sees of one person and what it answers.

    Attributes:
        crop: (H, W, 3) uint8, BGR: the network's input.
        heatmaps: (16, H, W), MPII order.
        pafs: (28, H / 8, W / 8); None for a network without them.
    """

    crop: np.ndarray
    heatmaps: np.ndarray
    pafs: np.ndarray | None


class PoseEstimator:
    """A loaded network; ``PoseEstimator.load("rt").predict("photo.jpg")`` gives the poses.

    Args:
        model: A pose estimator as MMPose's ``init_model`` returns it, with weights.
        name: What to call it in results.
    """

    def __init__(self, model: TopdownPoseEstimator, *, name: str) -> None:
        self.model = model
        self.name = name

    @classmethod
    def load(
        cls,
        variant: str = "rt",
        *,
        weights: str | Path | None = None,
        config: str | Path | None = None,
        device: str = "cpu",
        flip_test: bool | None = None,
    ) -> "PoseEstimator":
        """Load a variant.

        Args:
            variant: "rt", "i", "ii", "iii" or "iv".
            weights: A checkpoint of ours or a released file; None looks in the cache, in the folder that
                EFFICIENTPOSE_WEIGHTS_DIR names, and then downloads.
            config: Config of a network of your own; it needs ``weights`` and takes the place of ``variant``. None for
                the variant's.
            device: Where it runs, as PyTorch names it.
            flip_test: Average with the mirrored picture: more accurate, twice the time; None leaves it to the config.

        Raises:
            ValueError: If the variant or device is unknown, ``config`` is unusable or comes without ``weights``, or the
                weights do not fit.
            FileNotFoundError: If ``weights`` or ``config`` is not there.
            WeightsNotFoundError: If there are no weights anywhere.
        """
        name = get_variant(variant).name
        check_device(device)
        if config is not None and weights is None:
            raise ValueError(f"{config} is a network of its own: give its weights too")
        checkpoint = find_weights(name, explicit=None if weights is None else Path(weights))
        model = _build(mpii_config_path(name) if config is None else Path(config), device=device)
        load_checkpoint(model, checkpoint, variant=name if config is None else None)
        if flip_test is not None:
            model.test_cfg["flip_test"] = flip_test
        return cls(model, name=name if config is None else Path(config).stem)

    def predict(
        self, image: str | Path | np.ndarray, boxes: Sequence[Sequence[float]] | np.ndarray | None = None
    ) -> tuple[Pose, ...]:
        """Find the pose of each person.

        Args:
            image: A file, or (H, W, 3) uint8 BGR as OpenCV reads it.
            boxes: (N, 4) people as x1, y1, x2, y2 in image pixels; None takes the whole image as one person.

        Returns:
            One pose a box, in the same order, in the image's pixel-centre indices.

        Raises:
            ImageError: If the file is no usable picture.
            ValueError: If the array is no such picture, or a box is empty, not finite or outside the image.
        """
        pixels = read_image(Path(image)) if isinstance(image, str | Path) else check_pixels(image)
        regions = check_boxes(boxes, pixels)
        poses = []
        for sample in inference_topdown(self.model, pixels, regions):
            people = sample.pred_instances
            keypoints = np.concatenate((people.keypoints[0], people.keypoint_scores[0][:, None]), axis=1)
            poses.append(Pose(bbox=np.asarray(people.bboxes[0]), keypoints=keypoints))
        return tuple(poses)

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return what the network sees of one person, and its maps, without flip test.

        Args:
            image: (H, W, 3) uint8, BGR.
            box: The person as x1, y1, x2, y2; None for the whole image.

        Raises:
            ValueError: If the box is empty, not finite or outside the image.
        """
        check_pixels(image)
        bbox = check_boxes(None if box is None else [box], image)
        pipeline = Compose(self.model.cfg.test_dataloader.dataset.pipeline)
        data = pipeline(dict(img=image, bbox=bbox, bbox_score=np.ones(1, np.float32), **self.model.dataset_meta))
        with torch.no_grad():
            batch = self.model.data_preprocessor(pseudo_collate([data]), False)
            maps = self.model(batch["inputs"], None, mode="tensor")
        pafs = None if maps.pafs is None else maps.pafs[0].cpu().numpy()
        crop = np.ascontiguousarray(data["inputs"].numpy().transpose(1, 2, 0))
        return CropMaps(crop=crop, heatmaps=maps.final[0].cpu().numpy(), pafs=pafs)


def _build(config: Path, *, device: str) -> TopdownPoseEstimator:
    if not config.is_file():
        raise FileNotFoundError(f"{config}: no such config")
    try:
        return init_model(str(config), device=device)
    except (AttributeError, KeyError, NameError, OSError, SyntaxError, TypeError) as error:
        raise ValueError(f"{config}: not a usable config of a pose estimator ({error!r})") from error


def check_device(device: str) -> None:
    """Check that PyTorch knows a device and has it.

    Raises:
        ValueError: If not.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device!r} cannot be used ({reason}): try "cpu"') from error


def check_pixels(image: np.ndarray) -> np.ndarray:
    """Return a picture as it is.

    Raises:
        ValueError: If it is not (H, W, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"a picture is (height, width, 3) uint8, BGR; got {image.shape} {image.dtype}")
    return image


def check_boxes(boxes: Sequence[Sequence[float]] | np.ndarray | None, image: np.ndarray) -> np.ndarray:
    """Return (N, 4) float32 boxes, or the whole image's.

    Raises:
        ValueError: If there is no box, or one is empty, not finite or outside the image.
    """
    height, width = image.shape[:2]
    if boxes is None:
        return np.array([[0, 0, width, height]], dtype=np.float32)
    try:
        checked = np.asarray(boxes, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"boxes must be numbers x1, y1, x2, y2, got {boxes!r}") from error
    if checked.ndim != 2 or checked.shape[1:] != (4,) or not len(checked):
        raise ValueError(f"boxes must be one or more x1, y1, x2, y2, got an array of shape {checked.shape}")
    for box in checked:
        x1, y1, x2, y2 = (float(value) for value in box)
        if not np.isfinite(box).all() or x2 < x1 + 1 or y2 < y1 + 1:
            raise ValueError(
                f"box {[x1, y1, x2, y2]} is empty: it must be x1, y1, x2, y2 in pixels, at least one wide and high"
            )
        if max(x2 - x1, y2 - y1) > MAX_BOX_PER_IMAGE * max(width, height):
            raise ValueError(
                f"box {[x1, y1, x2, y2]} is over {MAX_BOX_PER_IMAGE} times as large as the image of {width} x {height}"
            )
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise ValueError(f"box {[x1, y1, x2, y2]} lies outside the image of {width} x {height} pixels")
    return checked
