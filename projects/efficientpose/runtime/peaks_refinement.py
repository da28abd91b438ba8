"""Peaks between pixels: the highest point of a paraboloid through nine values.

The released decoder ends on a whole pixel, and bilinear upsampling pulls peaks towards the centres of cells. Values one
cell apart see past both.
"""

import numpy as np
from numpy.typing import NDArray

from efficientpose.runtime.peaks_dense import Floats


def fit_offsets(patches: Floats, *, spacing: float) -> NDArray[np.float64]:
    """Return how far the fitted peak lies from the middle value, (N, 2), x and y in pixels.

    Slopes and curvatures are central differences (Taylor's expansion to the second order). No offset is given where the
    paraboloid has no highest point, or where that is more than half of ``spacing`` away.

    Args:
        patches: (N, 3, 3) values of a map around its peak.
        spacing: Pixels between neighbouring values.
    """
    above, row, below = patches[:, 0], patches[:, 1], patches[:, 2]
    middle = row[:, 1]
    slope_x, slope_y = (row[:, 2] - row[:, 0]) / 2, (below[:, 1] - above[:, 1]) / 2
    curve_x, curve_y = row[:, 2] + row[:, 0] - 2 * middle, below[:, 1] + above[:, 1] - 2 * middle
    twist = (below[:, 2] + above[:, 0] - below[:, 0] - above[:, 2]) / 4
    determinant = curve_x * curve_y - twist**2
    with np.errstate(divide="ignore", invalid="ignore"):  # told apart below
        offsets = np.stack((twist * slope_y - curve_y * slope_x, twist * slope_x - curve_x * slope_y), axis=1)
        offsets /= determinant[:, None]
    is_peak = (determinant > 0) & (curve_x < 0) & (np.abs(offsets) <= 0.5).all(axis=1)
    return np.where(is_peak[:, None], offsets * spacing, 0.0)
