"""The squared error of upsampled heatmaps, without upsampling.

A target is the outer product g of a column and a row, and bilinear upsampling multiplies a heatmap h at stride 8 by one
matrix an axis, U(h) = Y h Xᵀ. So the sum of squares over every pixel at full resolution is, exactly,

    ‖U(h) - g‖² = ⟨h, YᵀY h XᵀX⟩ - 2 ⟨h, (Yᵀ column) (Xᵀ row)ᵀ⟩ + ‖column‖² ‖row‖²

and neither predicted maps nor targets of that size, 64 times as large, are ever made.
"""

import functools
from typing import NamedTuple

import torch
from mmpose.models.losses import KeypointMSELoss
from torch import Tensor, nn

from efficientpose.codecs.targets import SeparableMaps
from efficientpose.core.decoding import make_axis_matrices


class _Axis(NamedTuple):
    upsampling: Tensor  # (pixels, cells)
    products: Tensor  # (cells, cells): of every two cells' weights, summed over pixels


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept serves training later
def _find_axis(num_cells: int, stride: int, device: torch.device) -> _Axis:
    upsampling = torch.from_numpy(make_axis_matrices(num_cells, stride=stride, blur_sigma=0).upsampled)
    products = upsampling.T @ upsampling
    return _Axis(*(each.to(device, torch.float32) for each in (upsampling, products)))


def is_mean_square(loss: nn.Module) -> bool:
    """Whether a loss is a mean of squares, each map's times its weight, and nothing else."""
    return type(loss) is KeypointMSELoss and not loss.skip_empty_channel


def find_mean_squares(heatmaps: Tensor, target: SeparableMaps) -> Tensor:
    """Return the mean square of bilinearly upsampled heatmaps minus their targets, each map's on its own.

    Args:
        heatmaps: (B, K, H, W), upsampled to the targets' resolution as by
            :class:`~efficientpose.models.upsampling.BilinearUpsampler`.
        target: Columns (B, K, H · s) and rows (B, K, W · s), whose products are the targets; s is a power of 2.

    Returns:
        (B, K) float32, whatever precision the maps have; rounding may take what is zero a little below it.
    """
    columns, rows = target
    stride = columns.shape[-1] // heatmaps.shape[-2]
    y, x = (_find_axis(num_cells, stride, heatmaps.device) for num_cells in heatmaps.shape[-2:])
    with torch.autocast(heatmaps.device.type, enabled=False):
        maps = heatmaps.float()
        squared = y.products @ maps @ x.products
        drawn = (columns @ y.upsampling).unsqueeze(-1) * (rows @ x.upsampling).unsqueeze(-2)
        sums = (maps * (squared - 2 * drawn)).sum((-2, -1))
        sums = sums + columns.square().sum(-1) * rows.square().sum(-1)
    return sums / (columns.shape[-1] * rows.shape[-1])


def find_separable_loss(loss: KeypointMSELoss, heatmaps: Tensor, target: SeparableMaps, weights: Tensor) -> Tensor:
    """Return what ``loss`` would be of the upsampled heatmaps.

    Args:
        loss: As :func:`is_mean_square` says.
        heatmaps: As :func:`find_mean_squares` takes them.
        target: As there.
        weights: (B, K), of each map.
    """
    return loss.loss_weight * (weights * find_mean_squares(heatmaps, target)).mean()
