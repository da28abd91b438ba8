"""Exact peaks of upsampled, blurred heatmaps, by computing only the pixels that can hold one.

A blurred pixel is a sum of nearby cells with weights that are not negative and sum to at most 1. All but a fraction f
of that weight lies on the cells it lies between, at most four. With m the highest of these and c the highest of all
cells, the pixel is at most (1 − f) m + f c (for m ≥ 0), so it can reach a known value v > f c only if m ≥ (v − f c) /
(1 − f). The pixels around the highest cell give v; then only the pixels around cells that high are computed.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.runtime.peaks_dense import TIE, AxisMatrices, Floats, find_peak_densely, make_axis_matrices
from efficientpose.runtime.peaks_refinement import (
    RefinedAxis,
    fit_offsets,
    fit_offsets_near_border,
    make_refined_axis,
)

Indices = NDArray[np.intp]

MAPS_AT_ONCE: Final = 32
MAX_PATCHES: Final = 256
"""In one map; together these two keep the working memory below about 50 MB."""


class Peaks(NamedTuple):
    """Of a batch of heatmaps.

    Attributes:
        keypoints: (B, K, 2) float32, x and y in pixel-centre indices of the network's input.
        scores: (B, K) float32, the upsampled map at the highest pixel.
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]


class AxisTable(NamedTuple):
    """Parts of a matrix (pixels, cells) that are used together: for each place, R rows and the T columns they read.

    Attributes:
        first: (places,), the first column.
        weights: (places, R, T).
        steps: (T,), from the first column to each.
    """

    first: Indices
    weights: Floats
    steps: Indices


_Tables = tuple[AxisTable, AxisTable]


def make_axis_table(matrix: Floats, rows: Indices) -> AxisTable:
    """Cut a matrix up.

    Args:
        matrix: (pixels, cells).
        rows: (places, R), pixels.
    """
    num_cells = matrix.shape[1]
    reads = (matrix[rows] > 0).any(axis=1)
    first, last = reads.argmax(axis=1), num_cells - 1 - reads[:, ::-1].argmax(axis=1)
    width = int((last - first).max()) + 1
    first = np.minimum(first, num_cells - width)
    steps = np.arange(width)
    columns = first[:, None] + steps
    return AxisTable(first=first, weights=matrix[rows[:, :, None], columns[:, None, :]], steps=steps)


class _Axis:
    """One axis of the maps: tables of what is computed together.

    Attributes:
        patch_pixels: (cells, 2 · stride), the pixels around each cell up to the next cells' centres; at the border the
            outermost repeat.
        patches: What is computed of the blurred map around each cell: those pixels.
        points: What is computed of the upsampled map at each pixel.
        crosses: What is computed of the blurred map to refine each pixel: one cell before, there and one cell behind.
        border_crosses: What is computed of the upsampled map to refine a pixel near the border, around its middle.
        refined: How pixels are refined; None without refinement, and the two tables with it.
        outer_weight: Largest share of a blurred pixel that does not come from the two cells it lies between.
    """

    def __init__(self, num_cells: int, *, stride: int, blur_sigma: float, subpixel: bool) -> None:
        self.matrices: AxisMatrices = make_axis_matrices(num_cells, stride=stride, blur_sigma=blur_sigma)
        num_pixels = num_cells * stride
        around = np.arange(num_cells)[:, None] * stride + np.arange(-stride // 2, stride + stride // 2)
        self.patch_pixels: Indices = around.clip(0, num_pixels - 1)
        self.patches = make_axis_table(self.matrices.blurred, self.patch_pixels)
        every = np.arange(num_pixels)[:, None]
        self.points = make_axis_table(self.matrices.upsampled, every)
        self.refined: RefinedAxis | None = None
        if subpixel:
            self.refined = make_refined_axis(num_pixels, spacing=stride, blur_sigma=blur_sigma)
            steps = np.array((-stride, 0, stride))
            self.crosses = make_axis_table(self.matrices.blurred, (every + steps).clip(0, num_pixels - 1))
            inside = (self.refined.middles[:, None] + steps).clip(0, num_pixels - 1)
            self.border_crosses = make_axis_table(self.matrices.upsampled, inside)
        self.outer_weight = self._find_outer_weight(stride)

    def _find_outer_weight(self, stride: int) -> float:
        blurred = self.matrices.blurred
        pixel = np.arange(len(blurred))
        before = (pixel + stride // 2) // stride - 1
        inner = np.zeros_like(blurred, dtype=bool)
        for cell in (before, before + 1):
            inside = (cell >= 0) & (cell < blurred.shape[1])
            inner[pixel[inside], cell[inside]] = True
        return float(np.where(inner, 0, blurred).sum(axis=1).max())


class SparsePeakFinder:
    """Finds the peaks of heatmaps at a stride as if they were upsampled and blurred; made once for maps of one shape.

    The keypoint is the first of the highest blurred pixels in reading order; pixels that differ by rounding alone
    (1e-12 of the highest cell) count as equal. Maps that the bound says little about take the dense route, one at a
    time: flat ones, those without a positive peak, and those with NaN or infinities. A map with NaN peaks at the first
    pixel that a NaN reaches, and its score there may be NaN, as by ``argmax`` over the dense map.

    Args:
        map_shape: (h, w) of the heatmaps, cells.
        stride: Pixels per cell, a power of 2 and at least 2.
        blur_sigma: Standard deviation of the blur before the peak is taken, pixels; 0 for none.
        subpixel: Whether to move each keypoint from its pixel to the highest point of a paraboloid through blurred
            values one cell apart, at most half a cell; near the border, where these are not to be trusted, to that of a
            Gaussian through values further inside, at most 1¼ cells. The score stays the pixel's.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self, map_shape: tuple[int, int], *, stride: int = 8, blur_sigma: float = 1.0, subpixel: bool = False
    ) -> None:
        if stride < 2:
            raise ValueError(f"stride must be a power of 2 and at least 2, got {stride}: such maps need no upsampling")
        self.map_shape = (int(map_shape[0]), int(map_shape[1]))
        self.stride = stride
        self.blur_sigma = blur_sigma
        self.subpixel = subpixel
        self._y, self._x = (
            _Axis(num_cells, stride=stride, blur_sigma=blur_sigma, subpixel=subpixel) for num_cells in self.map_shape
        )
        self._outer_weight = 1 - (1 - self._y.outer_weight) * (1 - self._x.outer_weight)
        self._width = self.map_shape[1] * stride
        self._max_patches = min(MAX_PATCHES, self.map_shape[0] * self.map_shape[1] // 4)

    def find(self, heatmaps: Floats) -> Peaks:
        """Find each map's peak.

        Args:
            heatmaps: (B, K, h, w); not changed.

        Raises:
            ValueError: If the maps are of another shape.
        """
        if heatmaps.ndim != 4 or heatmaps.shape[2:] != self.map_shape:
            raise ValueError(
                f"heatmaps of shape {heatmaps.shape} do not fit a peak finder for (people, keypoints, "
                f"{self.map_shape[0]}, {self.map_shape[1]})"
            )
        num_people, num_keypoints = heatmaps.shape[:2]
        dtype = heatmaps.dtype if heatmaps.dtype in (np.float32, np.float64) else np.float32
        num_cells = self.map_shape[0] * self.map_shape[1]
        flat = np.ascontiguousarray(heatmaps, dtype).reshape(num_people * num_keypoints, num_cells)
        keypoints = np.empty((len(flat), 2), np.float32)
        scores = np.empty(len(flat), np.float32)
        for start in range(0, len(flat), MAPS_AT_ONCE):
            some = slice(start, start + MAPS_AT_ONCE)
            with np.errstate(invalid="ignore"):  # infinities; these maps are told by their NaN and done again
                pixels, scores[some] = self._find_in_flat(flat[some])
                rows, columns = np.divmod(pixels, self._width)
                keypoints[some] = np.stack((columns, rows), axis=1) + self._find_offsets(flat[some], rows, columns)
        shape = (num_people, num_keypoints)
        return Peaks(keypoints=keypoints.reshape(*shape, 2), scores=scores.reshape(shape))

    def _find_in_flat(self, maps: Floats) -> tuple[Indices, Floats]:
        """Return the highest pixel, as an index in reading order, and the score of maps (N, h · w)."""
        highest = maps.argmax(axis=1)
        every = np.arange(len(maps))
        top_cells = maps[every, highest].astype(np.float64)
        map_index, cells = self._select_cells(maps, highest, top_cells)
        tops, pixels = self._search_patches(maps, map_index, cells, ties=TIE * top_cells)
        done = np.isfinite(tops)
        pixels[~done] = 0
        points = self._y.points, self._x.points
        scores = self._evaluate(maps, every, points, np.divmod(pixels, self._width))[:, 0, 0]
        for index in np.flatnonzero(~done):
            pixels[index], scores[index] = find_peak_densely(
                maps[index].reshape(self.map_shape), self._y.matrices, self._x.matrices
            )
        return pixels, scores

    def _find_offsets(self, maps: Floats, rows: Indices, columns: Indices) -> Floats:
        """Return what refinement adds to pixels, (N, 2) or 0."""
        y, x = self._y.refined, self._x.refined
        if y is None or x is None:
            return np.zeros(1)
        crosses = self._y.crosses, self._x.crosses
        patches = self._evaluate(maps, np.arange(len(maps)), crosses, (rows, columns))
        offsets = fit_offsets(patches, spacing=self.stride)
        near = np.flatnonzero(y.is_near_border[rows] | x.is_near_border[columns])
        offsets[near] = 0
        if len(near) and y.has_room and x.has_room:
            places = rows[near], columns[near]
            patches = self._evaluate(maps, near, (self._y.border_crosses, self._x.border_crosses), places)
            offsets[near] = fit_offsets_near_border(patches, np.stack(places[::-1], axis=1), y, x)
        return offsets

    def _select_cells(self, maps: Floats, highest: Indices, top_cells: Floats) -> tuple[Indices, Indices]:
        """Return the map and the cell of each patch that may hold its map's peak; none where the bound is no help."""
        known = self._compute_patches(maps, np.arange(len(maps)), highest).max(axis=1).max(axis=1)
        outer = self._outer_weight * top_cells
        # Less a little, for the rounding of the known value and of the maps' type.
        needed = np.where(
            known > np.maximum(outer, 0), (known - outer) / (1 - self._outer_weight) - 1e-6 * top_cells, np.nan
        )
        map_index, cells = np.divmod(np.flatnonzero(maps >= needed.astype(maps.dtype)[:, None]), maps.shape[1])
        counts = np.bincount(map_index, minlength=len(maps))
        if counts.max(initial=0) > self._max_patches:
            kept = counts[map_index] <= self._max_patches
            return map_index[kept], cells[kept]
        return map_index, cells

    def _compute_patches(self, maps: Floats, map_index: Indices, cells: Indices) -> Floats:
        """Return the blurred pixels around cells, (N, 2 · stride, 2 · stride)."""
        patches = self._y.patches, self._x.patches
        return self._evaluate(maps, map_index, patches, np.divmod(cells, self.map_shape[1]))

    def _evaluate(self, maps: Floats, map_index: Indices, tables: _Tables, places: tuple[Indices, Indices]) -> Floats:
        """Return what two tables make of maps at their places, (N, R of y, R of x).

        Args:
            maps: (M, h · w).
            map_index: (N,).
            tables: For y and for x.
            places: (N,) of each table.
        """
        (y, x), (rows, columns) = tables, places
        width = self.map_shape[1]
        corner = map_index * maps.shape[1] + y.first[rows] * width + x.first[columns]
        window = y.steps[:, None] * width + x.steps
        cells = maps.reshape(-1).take(corner[:, None, None] + window).astype(np.float64)
        return y.weights[rows] @ cells @ x.weights[columns].swapaxes(1, 2)

    def _search_patches(
        self, maps: Floats, map_index: Indices, cells: Indices, *, ties: Floats
    ) -> tuple[Floats, Indices]:
        """Return the highest value of each map's patches and its first pixel, (N,) each.

        The value is NaN or infinite where that of the map is not known, and then the pixel means nothing.

        Args:
            maps: (N, h · w).
            map_index: (P,).
            cells: (P,), the patches' cells.
            ties: (N,), how much lower a pixel may be and still count as highest.
        """
        values = self._compute_patches(maps, map_index, cells)
        tops = np.full(len(maps), -np.inf)
        np.maximum.at(tops, map_index, values.max(axis=1).max(axis=1))
        is_highest = values >= (tops - ties)[map_index, None, None]
        patches, inside = np.divmod(np.flatnonzero(is_highest), 4 * self.stride**2)
        rows, columns = np.divmod(cells[patches], self.map_shape[1])
        y, x = np.divmod(inside, 2 * self.stride)
        found = self._y.patch_pixels[rows, y] * self._width + self._x.patch_pixels[columns, x]
        pixels = np.full(len(maps), self.map_shape[0] * self.stride * self._width)
        np.minimum.at(pixels, map_index[patches], found)
        return tops, pixels
