"""Where the keypoints of a batch's crops are, as the data pipeline says."""

from collections.abc import Sequence

import numpy as np
import torch
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
