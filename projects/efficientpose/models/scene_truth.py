"""What is known of the people in a batch of scenes, as tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmpose.structures import PoseDataSample
from torch import Tensor


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
