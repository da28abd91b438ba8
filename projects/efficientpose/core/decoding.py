"""Peaks of heatmaps that a network has upsampled to the input's resolution itself."""

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

STRIDE: Final = 8
"""Input pixels per cell of the network's heatmaps and part affinity fields."""

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


class DensePeakFinder:
    """Blurs each map as the released decoder does and takes the highest pixel; made once for maps of one shape.

    Args:
        map_shape: (H, W) of the heatmaps, pixels.
        blur_sigma: Standard deviation of the blur, pixels; 0 for none.
        subpixel: As for :class:`~efficientpose.core.decoding.SparsePeakFinder`.
    """

    def __init__(self, map_shape: tuple[int, int], *, blur_sigma: float, subpixel: bool = False) -> None:
        self._y, self._x = (make_refined_axis(side, spacing=STRIDE, blur_sigma=blur_sigma) for side in map_shape)
        self._subpixel = subpixel
        self._sigma = blur_sigma
        self._side = 2 * int(4 * blur_sigma + 0.5) + 1

    def find(self, heatmaps: np.ndarray) -> Peaks:
        """Find each map's peak.

        Args:
            heatmaps: (B, K, H, W) float32, of the finder's shape; not changed.

        Returns:
            keypoints: (B, K, 2) in the input frame.
            scores: (B, K), the map itself at the place of the peak.
        """
        num_people, num_keypoints, height, width = heatmaps.shape
        flat = heatmaps.reshape(-1, height, width)
        blurred = np.stack([self._blur(heatmap) for heatmap in flat])
        pixels = blurred.reshape(len(flat), -1).argmax(axis=1)
        rows, columns = np.divmod(pixels, width)
        scores = flat[np.arange(len(flat)), rows, columns]
        keypoints = np.stack((columns, rows), axis=1).astype(np.float64)
        if self._subpixel:
            peaks = zip(flat, blurred, zip(rows, columns, strict=True), strict=True)
            keypoints += [find_dense_offset(*peak, self._y, self._x) for peak in peaks]
        return Peaks(
            keypoints=keypoints.reshape(num_people, num_keypoints, 2).astype(np.float32),
            scores=scores.reshape(num_people, num_keypoints),
        )

    def _blur(self, heatmap: np.ndarray) -> np.ndarray:
        if self._sigma == 0:
            return heatmap
        return cv2.GaussianBlur(heatmap, (self._side, self._side), self._sigma, borderType=cv2.BORDER_REFLECT)


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


class _SceneAxis:
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
        self._y, self._x = (_SceneAxis(num_cells, stride=stride, blur_sigma=blur_sigma) for num_cells in map_shape)
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
