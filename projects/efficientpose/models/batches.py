"""A batch's crops at a smaller size than the data pipeline cut them, with their keypoints."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmpose.structures import PoseDataSample
from torch import Tensor


def stack_crops(samples: Sequence[PoseDataSample], *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a batch's keypoints (B, K, 2) in the input frame and where they are labelled (B, K).

    Raises:
        ValueError: If the samples carry no keypoints in that frame.
    """
    if "transformed_keypoints" not in samples[0].gt_instances:
        raise ValueError(
            "the training pipeline must end in PackPoseInputs(pack_transformed=True), so that samples carry keypoints "
            "in the input frame"
        )
    keypoints = np.concatenate([sample.gt_instances.transformed_keypoints for sample in samples])
    visible = np.concatenate([sample.gt_instances.keypoints_visible for sample in samples])
    labelled = visible[..., 0] if visible.ndim == 3 else visible
    return (
        torch.as_tensor(keypoints[..., :2], dtype=torch.float32, device=device),
        torch.as_tensor(labelled, dtype=torch.float32, device=device),
    )


class SceneTruth(NamedTuple):
    """B scenes with places for P people, the most that one of them has; empty places have zeros.

    Attributes:
        keypoints: (B, P, K, 2) in the input frame.
        labelled: (B, P, K), nonzero where labelled.
        boxes: (B, P, 4) x1, y1, x2, y2 in the input frame.
    """

    keypoints: Tensor
    labelled: Tensor
    boxes: Tensor


def stack_scenes(samples: Sequence[PoseDataSample], *, device: torch.device) -> SceneTruth:
    """Return the truth about a batch of scenes on a device.

    Args:
        samples: With ``gt_instances``: ``transformed_keypoints`` (N, K, 2) and ``bboxes`` (N, 4) in the input frame,
            ``keypoints_visible`` (N, K) or (N, K, 2).
        device: Where to.

    Raises:
        ValueError: If the keypoints are not in the input frame.
    """
    people = [sample.gt_instances for sample in samples]
    if not all("transformed_keypoints" in each for each in people):
        raise ValueError(
            "the training pipeline of scenes must have SceneWindow and end in PackPoseInputs(pack_transformed=True), "
            "so that samples carry keypoints in the input frame"
        )
    num_places = max(len(each.transformed_keypoints) for each in people)
    num_keypoints = people[0].transformed_keypoints.shape[1]
    keypoints = np.zeros((len(people), num_places, num_keypoints, 2), np.float32)
    labelled = np.zeros((len(people), num_places, num_keypoints), np.float32)
    boxes = np.zeros((len(people), num_places, 4), np.float32)
    for index, each in enumerate(people):
        number = len(each.transformed_keypoints)
        visible = np.asarray(each.keypoints_visible)
        keypoints[index, :number] = each.transformed_keypoints[..., :2]
        labelled[index, :number] = visible[..., 0] if visible.ndim == 3 else visible
        boxes[index, :number] = each.bboxes
    return SceneTruth(*(torch.from_numpy(array).to(device) for array in (keypoints, labelled, boxes)))


def resample_maps(maps: Tensor, *, map_shape: Sequence[int]) -> Tensor:
    """Resize maps or crops bilinearly, averaged where they shrink.

    Args:
        maps: (B, C, h, w).
        map_shape: (height, width) of the result.

    Returns:
        (B, C, height, width) float32; values stay within their range.
    """
    return F.interpolate(maps.float(), tuple(map_shape), mode="bilinear", align_corners=False, antialias=True)


def resample_pafs(pafs: Tensor, *, map_shape: Sequence[int]) -> Tensor:
    """Resize part affinity fields so that their bands stay as wide, in cells.

    A band is a fixed number of cells wide at every resolution, so a finer grid's is narrower on the person and would
    fade when averaged. Vectors are lengthened by what was averaged away, and then cut to a length of 1. So fields drawn
    for 600 pixels differ from those drawn for 224 by 0.20 of their energy; merely interpolated, by 0.57.

    Args:
        pafs: (B, 2L, h, w); limb k has its x component in channel 2k and its y component in channel 2k + 1.
        map_shape: (height, width) of the result.

    Returns:
        (B, 2L, height, width) float32.
    """
    faded = max(1.0, pafs.shape[-1] / map_shape[1], pafs.shape[-2] / map_shape[0])
    vectors = faded * resample_maps(pafs, map_shape=map_shape).unflatten(1, (-1, 2))
    return (vectors / vectors.norm(dim=2, keepdim=True).clamp(min=1)).flatten(1, 2)
