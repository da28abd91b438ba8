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
        grids = [feature.shape[-2:] for feature in features]
        if any(grid != grids[0] for grid in grids):  # not in a set: sizes are tensors while a network is traced
            raise ValueError(f"features to join must share one grid (height, width), got {[*map(tuple, grids)]}")
        return (torch.cat(features, dim=1),)
