"""What rtmlib's class for heatmaps (``ViTPose``) feeds a network and makes of its answer.

It normalises with numbers meant for red, green, blue, but its pictures are blue, green, red. It takes map cell k of n
for the place k / (n - 1) across the crop, while it crops so that pixel p of w lies p / w across. So full-resolution
maps with one more row and column, of zeros, are read without error: w + 1 cells, of which cell p lies on pixel p.
"""

import torch
from torch import Tensor

from efficientpose.models.upsampling import BilinearUpsampler

RTMLIB_MEAN = (123.675, 116.28, 103.53)
RTMLIB_STD = (58.395, 57.12, 57.375)

_CELLS_FROM_BORDER = 2
"""Cells this far from the map's edges do not see the zeros behind them."""


def resampling_matrix(side: int) -> Tensor:
    """Return the matrix from stride-8 cells to rtmlib's cells along one axis, (side + 1, side / 8).

    Args:
        side: Of the input, pixels; a multiple of 8.
    """
    num_cells = side // 8
    # one map a cell: that cell's row is 1 all across
    rows = torch.eye(num_cells)[:, None, :, None].expand(-1, -1, -1, 2 * _CELLS_FROM_BORDER + 1)
    upsampled = BilinearUpsampler()(rows)[:, 0, :, 8 * _CELLS_FROM_BORDER]
    return torch.cat((upsampled.T, torch.zeros(1, num_cells)))
