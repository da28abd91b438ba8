"""Peaks between pixels: the highest point of a paraboloid through nine values.

The released decoder ends on a whole pixel, and bilinear upsampling pulls peaks towards the centres of cells. Values one
cell apart see past both. Near the border that would see what is not there: upsampling lowers the outer pixels, the blur
mirrors them, and beyond lies nothing. There the nine values are read further inside, without blur, and the paraboloid
goes through their logarithms: those of a Gaussian are one, so its peak is found from wherever they are.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.runtime.peaks_dense import Floats

Indices = NDArray[np.intp]

FARTHEST_NEAR_BORDER: Final = 1.25
"""How many cells a peak near the border may move: of wide Gaussians the released decoder's pixel is 8.5 px
too far inside."""


class RefinedAxis(NamedTuple):
    """How peaks are refined along one axis of a map.

    Attributes:
        is_near_border: (pixels,), whether the border has changed a value that is read around the pixel.
        middles: (pixels,), the middle of what is read near the border instead.
        spacing: Pixels between neighbouring values.
        has_room: Whether three values fit between the pixels that upsampling lowers; without, peaks near the border
            stay where they are.
    """

    is_near_border: NDArray[np.bool_]
    middles: Indices
    spacing: int
    has_room: bool


def make_refined_axis(num_pixels: int, *, spacing: int, blur_sigma: float) -> RefinedAxis:
    """Return how peaks are refined along an axis.

    Args:
        num_pixels: Of the map.
        spacing: Pixels in a cell, at whose distance values are read; upsampling lowers one pixel less at the border.
        blur_sigma: Standard deviation of the blur, pixels.
    """
    pixels = np.arange(num_pixels)
    nearest = 2 * spacing - 1
    blur_reach = int(4 * blur_sigma + 0.5)
    has_room = num_pixels > 2 * nearest
    return RefinedAxis(
        is_near_border=np.minimum(pixels, num_pixels - 1 - pixels) < nearest + blur_reach,
        middles=pixels.clip(nearest, num_pixels - 1 - nearest) if has_room else np.full(num_pixels, num_pixels // 2),
        spacing=spacing,
        has_room=has_room,
    )


def fit_offsets(patches: Floats, *, spacing: int) -> NDArray[np.float64]:
    """Return how far the fitted peak lies from the middle value, (N, 2), x and y in pixels.

    No offset is given where the paraboloid has no highest point, or where that is more than half of ``spacing`` away.

    Args:
        patches: (N, 3, 3) values of a map around its peak.
        spacing: Pixels between neighbouring values.
    """
    offsets = _find_tops(patches)
    return np.where((np.abs(offsets) <= 0.5).all(axis=1, keepdims=True), offsets * spacing, 0.0)


def fit_offsets_near_border(patches: Floats, pixels: Indices, y: RefinedAxis, x: RefinedAxis) -> NDArray[np.float64]:
    """Return how far the peak of the fitted Gaussian lies from its pixel, (N, 2), x and y in pixels.

    It is kept inside the map. No offset is given where a value is not positive, where there is no highest point, or
    where that is more than :data:`FARTHEST_NEAR_BORDER` times the spacing away.

    Args:
        patches: (N, 3, 3) values of the map, without blur, around the axes' middles.
        pixels: (N, 2), x and y.
        y: Of the map's rows.
        x: Of the map's columns.
    """
    is_positive = (patches > 0).all(axis=(1, 2))
    tops = _find_tops(np.log(np.where(is_positive[:, None, None], patches, 1)))
    middles = np.stack((x.middles[pixels[:, 0]], y.middles[pixels[:, 1]]), axis=1)
    offsets = middles + tops * y.spacing - pixels
    size = np.array((len(x.middles), len(y.middles)))
    inside = np.clip(offsets, -0.5 - pixels, size - 0.5 - pixels)
    is_near = (np.abs(offsets) <= FARTHEST_NEAR_BORDER * y.spacing).all(axis=1, keepdims=True)
    return np.where(is_near, inside, 0.0)


def find_dense_offset(
    heatmap: Floats, blurred: Floats, pixel: tuple[int, int], y: RefinedAxis, x: RefinedAxis
) -> NDArray[np.float64]:
    """Return what refinement adds to the peak of one whole map, (2,), x and y in pixels of the map.

    Args:
        heatmap: (H, W).
        blurred: (H, W).
        pixel: Row and column of the peak.
        y: Of the map's rows.
        x: Of the map's columns.
    """
    row, column = pixel
    steps = np.array((-1, 0, 1)) * y.spacing
    if not (y.is_near_border[row] or x.is_near_border[column]):
        return fit_offsets(_read(blurred, row + steps, column + steps), spacing=y.spacing)[0]
    if not (y.has_room and x.has_room):
        return np.zeros(2)
    patch = _read(heatmap, y.middles[row] + steps, x.middles[column] + steps)
    return fit_offsets_near_border(patch, np.array([(column, row)]), y, x)[0]


def _read(values: Floats, rows: Indices, columns: Indices) -> NDArray[np.float64]:
    """Return the values where rows and columns cross, as the only one of its kind: (1, 3, 3)."""
    return values[np.ix_(rows, columns)][None].astype(np.float64)


def _find_tops(patches: Floats) -> NDArray[np.float64]:
    """Return where paraboloids are highest, (N, 2), x and y from the middle in units of the spacing; NaN if nowhere.

    Slopes and curvatures are central differences (Taylor's expansion to the second order).
    """
    above, row, below = patches[:, 0], patches[:, 1], patches[:, 2]
    middle = row[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):  # flat maps and infinities, told apart below
        slope_x, slope_y = (row[:, 2] - row[:, 0]) / 2, (below[:, 1] - above[:, 1]) / 2
        curve_x, curve_y = row[:, 2] + row[:, 0] - 2 * middle, below[:, 1] + above[:, 1] - 2 * middle
        twist = (below[:, 2] + above[:, 0] - below[:, 0] - above[:, 2]) / 4
        determinant = curve_x * curve_y - twist**2
        tops = np.stack((twist * slope_y - curve_y * slope_x, twist * slope_x - curve_x * slope_y), axis=1)
        tops /= determinant[:, None]
    return np.where(((determinant > 0) & (curve_x < 0))[:, None], tops, np.nan)
