"""Images of a few people's predictions, as training goes on."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpose.structures import PoseDataSample
from torch import Tensor

from efficientpose.core.drawing import draw_poses
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import MPII_SKELETON, Skeleton, keypoint_names_of
from efficientpose.engine.lookup import network_of
from efficientpose.models.trained_skeleton import skeleton_of

IMAGE_NAME = "people"
_MAX_SIDE = 256
_PAIRS_A_ROW = 4


@HOOKS.register_module()
class VisualSamplesHook(Hook):
    """Draw the same few validation people every so many epochs, as labelled (left) and as predicted (right).

    The image goes to all visualisation backends of the run: to ``vis_data/vis_image/people_EPOCH.png`` and, if it is
    on, to TensorBoard. (MMPose's own hook counts iterations, draws other people each time, and no ground truth.)

    Args:
        interval: Epochs between two images; drawn at the validation that ends or follows them, and at the last.
        num_people: People to draw, evenly spread over the validation set; with several processes, over the first
            one's share.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self, *, interval: int = 10, num_people: int = 8) -> None:
        if min(interval, num_people) < 1:
            raise ValueError(f"interval and num_people must be at least 1, got {interval} and {num_people}")
        self.interval = interval
        self.num_people = num_people
        self.pairs: list[np.ndarray] = []

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose the people to draw (MMEngine's contract)."""
        self.pairs = []
        self.num_seen = 0
        self.chosen: set[int] = set()
        if is_main_process() and self._is_due(runner):
            total = len(runner.val_dataloader.sampler)
            self.chosen = {number * total // self.num_people for number in range(self.num_people)}

    def _is_due(self, runner: Runner) -> bool:
        if runner.epoch in (0, runner.max_epochs):
            return True
        return runner.epoch // self.interval > (runner.epoch - runner.val_interval) // self.interval

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002 - MMEngine passes it
        data_batch: dict[str, Any],
        outputs: Sequence[PoseDataSample],
    ) -> None:
        """Draw the chosen people of a batch (MMEngine's contract)."""
        for number, (image, sample) in enumerate(zip(data_batch["inputs"], outputs, strict=True), start=self.num_seen):
            if number in self.chosen:
                self.pairs.append(draw_pair(image, sample, skeleton=_skeleton_of(runner)))
        self.num_seen += len(outputs)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Record the image (MMEngine's contract)."""
        if self.pairs:
            image = tile(self.pairs, num_columns=_PAIRS_A_ROW)
            runner.visualizer.add_image(IMAGE_NAME, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), step=runner.epoch)


def _skeleton_of(runner: Runner) -> Skeleton:
    """Return the skeleton that the network predicts; MPII's for a network that is not ours, on a dataset like MPII."""
    decoder = getattr(getattr(network_of(runner), "head", None), "decoder", None)
    info = runner.val_dataloader.dataset.metainfo
    limbs = MPII_SKELETON.limbs if keypoint_names_of(info) == MPII_SKELETON.keypoint_names else ()
    return skeleton_of(info, getattr(decoder, "limbs", limbs))


def draw_pair(image: Tensor, sample: PoseDataSample, *, skeleton: Skeleton = MPII_SKELETON) -> np.ndarray:
    """Draw a person, or a scene of several, twice: as labelled and as predicted.

    Args:
        image: (3, h, w) uint8, BGR: the network's input.
        sample: With ``gt_instances`` and ``pred_instances``, both in pixels of the original image.
        skeleton: Limbs to draw.

    Returns:
        (h, 2w, 3) uint8, BGR; smaller if a side is above 256.
    """
    crop = np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())
    height, width = crop.shape[:2]
    shrink = min(1.0, _MAX_SIDE / max(height, width))
    crop = cv2.resize(crop, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    ground_truth, prediction = sample.gt_instances, sample.pred_instances
    visible = np.asarray(ground_truth.get("keypoints_visible", ()))
    labelled = visible[..., 0] if visible.ndim == 3 else visible
    sides = ((ground_truth.get("keypoints", ()), labelled), (prediction.keypoints, prediction.keypoint_scores))
    whole = np.array([0, 0, crop.shape[1], crop.shape[0]])
    drawn = []
    for people, scores in sides:
        poses = []
        for points, point_scores in zip(np.asarray(people), np.asarray(scores), strict=True):
            in_crop = (to_crop(points[:, :2], sample.metainfo) + 0.5) * shrink - 0.5
            poses.append(Pose(bbox=whole, keypoints=np.column_stack((in_crop, point_scores))))
        drawn.append(draw_poses(crop, tuple(poses), skeleton=skeleton))
    return np.hstack(drawn)


def to_crop(points: np.ndarray, metainfo: dict[str, Any]) -> np.ndarray:
    """Map points (K, 2) from the original image to the network's input: the inverse of MMPose's estimator."""
    centre, scale = np.asarray(metainfo["input_center"]), np.asarray(metainfo["input_scale"])
    return (points - centre + 0.5 * scale) / scale * np.asarray(metainfo["input_size"])


def tile(images: Sequence[np.ndarray], *, num_columns: int) -> np.ndarray:
    """Put images in rows, each with a white border of 2 px and padded with black to the largest one's size."""
    num_columns = min(num_columns, len(images))
    height, width = np.max([image.shape[:2] for image in images], axis=0)
    padded = [
        cv2.copyMakeBorder(each, 0, height - each.shape[0], 0, width - each.shape[1], cv2.BORDER_CONSTANT)
        for each in images
    ]
    padded += [np.zeros_like(padded[0])] * (-len(padded) % num_columns)
    white = (255, 255, 255)
    framed = [cv2.copyMakeBorder(each, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=white) for each in padded]
    rows = [np.hstack(framed[start : start + num_columns]) for start in range(0, len(framed), num_columns)]
    return np.vstack(rows)
