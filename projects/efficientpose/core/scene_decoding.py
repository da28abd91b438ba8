"""All local peaks of upsampled, blurred heatmaps, without upsampling the whole of them.

Upsampling and blur only average neighbouring cells, so peaks lie around cells that are high among those around them.
Only the pixels between such a cell and its neighbours are computed, with the matrices of the single highest peak in
:mod:`efficientpose.core.decoding`.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from efficientpose.core.decoding import AxisTable, make_axis_matrices, make_axis_table

Floats = NDArray[np.floating]
Indices = NDArray[np.intp]

MAX_SEEDS: Final = 256
"""Of one keypoint in one scene; the highest are kept."""

SEED_SHARE: Final = 0.75
"""A peak is looked for around cells at least so high, as a share of the highest of the nine around them."""


class Candidates(NamedTuple):
    """Where one keypoint may be, best first.

    Attributes:
        points: (N, 2) float64 x and y in pixel-centre indices of the network's input, sub-pixel.
        scores: (N,) float64, the upsampled map there, about 0 to 1.
    """

    points: NDArray[np.float64]
    scores: NDArray[np.float64]


class _Cells(NamedTuple):
    """Places in maps: which map, row and column, (N,) each."""

    map_index: Indices
    rows: Indices
    columns: Indices


class _Axis:
    """Tables of one axis: the blurred pixels around each cell, with one more on either side, and single pixels."""

    def __init__(self, num_cells: int, *, stride: int, blur_sigma: float) -> None:
        matrices = make_axis_matrices(num_cells, stride=stride, blur_sigma=blur_sigma)
        num_pixels = num_cells * stride
        around = np.arange(num_cells)[:, None] * stride + np.arange(-stride // 2 - 1, stride + stride // 2 + 1)
        self.pixels: Indices = around.clip(0, num_pixels - 1)
        self.is_inside: NDArray[np.bool_] = (around == self.pixels)[:, 1:-1]
        self.patches: AxisTable = make_axis_table(matrices.blurred, self.pixels)
        self.points: AxisTable = make_axis_table(matrices.upsampled, np.arange(num_pixels)[:, None])


class ScenePeakFinder:
    """Finds the local peaks of heatmaps of one shape; made once.

    Of peaks that lie closer than ``radius`` to each other the highest stays.

    Args:
        map_shape: (h, w) of the heatmaps, cells.
        stride: Pixels per cell, a power of 2 and at least 2.
        blur_sigma: Standard deviation of the blur before peaks are looked for, pixels; 0 for none.
        radius: Distance in pixels below which two peaks are one.
        min_score: Peaks below it are left out.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self, map_shape: tuple[int, int], *, stride: int, blur_sigma: float, radius: float, min_score: float
    ) -> None:
        if stride < 2 or radius < 0 or min_score <= 0:
            raise ValueError(
                "stride must be at least 2, radius at least 0 and min_score positive, got "
                f"{stride}, {radius} and {min_score}"
            )
        self._map_shape = map_shape
        self._y, self._x = (_Axis(num_cells, stride=stride, blur_sigma=blur_sigma) for num_cells in map_shape)
        self._radius = radius
        self._min_score = min_score

    def find(self, heatmaps: Floats) -> tuple[Candidates, ...]:
        """Find each keypoint's candidates.

        Args:
            heatmaps: (K, h, w); NaN and infinities count as 0. Not changed.

        Returns:
            K of them.

        Raises:
            ValueError: If the maps are of another shape.
        """
        if heatmaps.ndim != 3 or heatmaps.shape[1:] != self._map_shape:
            raise ValueError(
                f"heatmaps of shape {heatmaps.shape} do not fit a peak finder for (keypoints, {self._map_shape[0]}, "
                f"{self._map_shape[1]})"
            )
        finite = np.where(np.isfinite(heatmaps), heatmaps, 0).astype(np.float32)
        map_index, points, heights = self._refine(finite, self._find_seeds(finite))
        scores = self._read_scores(finite, map_index, points)
        return tuple(
            self._select(points[map_index == index], heights[map_index == index], scores[map_index == index])
            for index in range(len(heatmaps))
        )

    def _find_seeds(self, maps: Floats) -> _Cells:
        """Return the cells around which a peak may lie."""
        seeds = []
        for index, cells in enumerate(maps):
            highest_around = cv2.dilate(cells, np.ones((3, 3), np.uint8))
            flat = np.flatnonzero((cells >= self._min_score) & (cells >= SEED_SHARE * highest_around))
            flat = flat[np.argsort(-cells.reshape(-1)[flat], kind="stable")][:MAX_SEEDS]
            seeds.append(np.stack((np.full(len(flat), index), *np.divmod(flat, cells.shape[1]))))
        return _Cells(*(np.concatenate(seeds, axis=1) if seeds else np.empty((3, 0), np.intp)))

    def _evaluate(self, maps: Floats, y: AxisTable, x: AxisTable, at: _Cells) -> Floats:
        """Return what tables make of maps at places (rows and columns of the tables), (N, R of y, R of x)."""
        height, width = self._map_shape
        corner = at.map_index * height * width + y.first[at.rows] * width + x.first[at.columns]
        window = np.arange(y.weights.shape[2])[:, None] * width + np.arange(x.weights.shape[2])
        read = maps.reshape(-1).take(corner[:, None, None] + window).astype(np.float64)
        values: Floats = y.weights[at.rows] @ read @ x.weights[at.columns].swapaxes(1, 2)
        return values

    def _refine(self, maps: Floats, seeds: _Cells) -> tuple[Indices, NDArray[np.float64], Floats]:
        """Return map, place (x, y) and height of all pixels around these cells that none beside them exceeds."""
        patches = self._evaluate(maps, self._y.patches, self._x.patches, seeds)
        side_y, side_x = (side - 2 for side in patches.shape[1:])
        inner = patches[:, 1:-1, 1:-1]
        is_top = self._y.is_inside[seeds.rows][:, :, None] & self._x.is_inside[seeds.columns][:, None]
        for down in range(3):
            for right in range(3):
                is_top &= inner >= patches[:, down : down + side_y, right : right + side_x]
        which, y, x = np.nonzero(is_top)
        middle = inner[which, y, x]
        shift_y = _vertex(patches[which, y, x + 1], middle, patches[which, y + 2, x + 1])
        shift_x = _vertex(patches[which, y + 1, x], middle, patches[which, y + 1, x + 2])
        places = np.stack(
            (
                self._x.pixels[seeds.columns[which], x + 1] + shift_x,
                self._y.pixels[seeds.rows[which], y + 1] + shift_y,
            ),
            axis=1,
        )
        last = np.array((self._x.points.first.size - 1, self._y.points.first.size - 1))
        return seeds.map_index[which], places.clip(0, last), middle

    def _read_scores(self, maps: Floats, map_index: Indices, points: NDArray[np.float64]) -> Floats:
        """Return the upsampled map, without blur, at the pixel of each point."""
        columns, rows = np.rint(points).astype(np.intp).T
        return self._evaluate(maps, self._y.points, self._x.points, _Cells(map_index, rows, columns))[:, 0, 0]

    def _select(self, points: NDArray[np.float64], heights: Floats, scores: Floats) -> Candidates:
        """Suppress what lies beside a higher peak, and what is too low."""
        order = np.argsort(-heights, kind="stable")[:MAX_SEEDS]
        points, scores = points[order], scores[order].astype(np.float64)
        is_near = np.linalg.norm(points[:, None] - points[None], axis=2) < self._radius
        stays = np.ones(len(points), bool)
        for index in range(len(points)):
            if stays[index]:
                stays[index + 1 :] &= ~is_near[index, index + 1 :]
        stays &= scores >= self._min_score
        return Candidates(points=points[stays], scores=scores[stays])


def _vertex(before: Floats, middle: Floats, behind: Floats) -> Floats:
    """Return where the parabola through three equidistant values is highest, from the middle, −½ to ½."""
    bend = before - 2 * middle + behind
    shift: Floats = np.where(bend < -1e-12, (before - behind) / np.where(bend < -1e-12, 2 * bend, 1), 0)
    return np.clip(shift, -0.5, 0.5)
