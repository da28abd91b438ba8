"""The plain way from a stride-8 heatmap to its peak: upsample all of it, blur all of it, take the highest pixel.

Upsampling and blur are linear and treat rows and columns apart, so along one axis each is a matrix with no negative
entry, and its rows sum to at most 1. The network upsamples by doublings with taps ¼, ¾, ¾, ¼ and zeros beyond the
border; the released decoder blurs with a Gaussian out to four standard deviations, mirrored at the border.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

TIE: Final = 1e-12
"""Values this close, as a fraction of the largest cell, count as equal: rounding alone tells them apart."""


class AxisMatrices(NamedTuple):
    """What becomes of one axis of a heatmap, (pixels, cells) each.

    Attributes:
        upsampled: The map that scores are read from.
        blurred: The map whose highest pixel is the keypoint.
    """

    upsampled: Floats
    blurred: Floats


class Peak(NamedTuple):
    """Of one heatmap.

    Attributes:
        pixel: Index of the highest blurred pixel, in reading order.
        score: The upsampled map there, without blur.
    """

    pixel: int
    score: float


def make_axis_matrices(num_cells: int, *, stride: int, blur_sigma: float) -> AxisMatrices:
    """Return the matrices of an axis.

    Args:
        num_cells: Of the heatmap.
        stride: Pixels per cell, a power of 2.
        blur_sigma: Standard deviation of the blur, pixels; 0 for none.

    Raises:
        ValueError: If there is no cell, the stride is not a power of 2 or the blur is negative.
    """
    if num_cells < 1 or stride < 1 or stride & (stride - 1) or not 0 <= blur_sigma < np.inf:
        raise ValueError(
            "a heatmap needs at least one cell, a stride that is a power of 2 and a blur_sigma of at least 0, "
            f"got {num_cells}, {stride} and {blur_sigma}"
        )
    upsampled = np.eye(num_cells)
    while len(upsampled) < num_cells * stride:
        upsampled = _double(upsampled)
    return AxisMatrices(upsampled=upsampled, blurred=_make_blur(len(upsampled), sigma=blur_sigma) @ upsampled)


def _double(rows: Floats) -> Floats:
    """Interpolate between rows and zeros beyond the first and the last."""
    bordered = np.pad(rows, ((1, 1), (0, 0)))
    before = 0.25 * bordered[:-2] + 0.75 * rows
    behind = 0.75 * rows + 0.25 * bordered[2:]
    return np.stack((before, behind), axis=1).reshape(-1, rows.shape[1])


def _make_blur(num_pixels: int, *, sigma: float) -> Floats:
    """Return (pixels, pixels): a Gaussian mirrored at the border, as often as it takes."""
    if sigma == 0:
        return np.eye(num_pixels)
    reach = int(4 * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    rows = np.arange(num_pixels)[:, None]
    columns = (rows + offsets) % (2 * num_pixels)
    columns = np.where(columns < num_pixels, columns, 2 * num_pixels - 1 - columns)
    blur = np.zeros((num_pixels, num_pixels))
    np.add.at(blur, (rows, columns), taps / taps.sum())
    return blur


def apply_to_axes(heatmap: Floats, along_y: Floats, along_x: Floats) -> Floats:
    """Return the map that a matrix for each axis makes of a heatmap, in float64.

    A cell counts where its weight is positive: infinities and NaN reach no further than in a convolution.
    """
    finite = np.isfinite(heatmap)
    values = along_y @ np.where(finite, heatmap, 0).astype(np.float64) @ along_x.T
    if finite.all():
        return values

    def reached_by(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.sign(along_y) @ cells.astype(np.float64) @ np.sign(along_x).T > 0

    upwards, downwards = reached_by(heatmap == np.inf), reached_by(heatmap == -np.inf)
    values[upwards] = np.inf
    values[downwards] = -np.inf
    values[(upwards & downwards) | reached_by(np.isnan(heatmap))] = np.nan
    return values


def find_peak_densely(heatmap: Floats, y: AxisMatrices, x: AxisMatrices) -> Peak:
    """Find the first of the highest blurred pixels in reading order.

    NaN counts as highest, as for ``argmax``: a map that holds one peaks at the first pixel that it reaches.

    Args:
        heatmap: (h, w) at the stride.
        y: Matrices of its rows.
        x: Matrices of its columns.
    """
    blurred = apply_to_axes(heatmap, y.blurred, x.blurred)
    top = blurred.max()
    if np.isfinite(top):
        largest = np.abs(heatmap[np.isfinite(heatmap)]).max()
        pixel = int(np.argmax(blurred >= top - TIE * largest))
    else:
        pixel = int(np.argmax(blurred))
    row, column = divmod(pixel, blurred.shape[1])
    score = apply_to_axes(heatmap, y.upsampled[row : row + 1], x.upsampled[column : column + 1])
    return Peak(pixel, float(score[0, 0]))
