"""Cross-resolution features."""

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class CrossResolutionNeck(BaseModule):
    """Join the features of both resolutions along the channels, high resolution first. It has no parameters."""

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Concatenate features (B, C_i, H, W) to one (B, sum of C_i, H, W), in a tuple as MMPose's heads expect."""
        grids = {tuple(feature.shape[-2:]) for feature in features}
        if len(grids) > 1:
            raise ValueError(f"features to join must share one grid (height, width), got {sorted(grids)}")
        return (torch.cat(features, dim=1),)
