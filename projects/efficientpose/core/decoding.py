"""Decoding: from heatmaps to keypoints.

The released decoder upsamples each heatmap from stride 8 to the input's resolution, blurs it and takes the highest
pixel. Both steps are linear and separable: with one matrix for each axis, a heatmap h becomes Y h Xᵀ.
Coordinates are pixel-centre indices of the network's input; cell j at stride s is centred on pixel s · j + (s - 1) / 2.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from efficientpose.core.similarity import keep_distinct

Floats = NDArray[np.floating]
ReadPixels = Callable[[slice, slice], Floats]
"""From rows and columns to the pixels of a heatmap there."""

STRIDE: Final = 8
"""Input pixels per cell of the network's heatmaps and part affinity fields."""

TIE: Final = 1e-12  # values this close, as a fraction of the highest cell, differ by rounding alone

FARTHEST_NEAR_BORDER: Final = 1.25
"""Largest sub-pixel offset near the border, in cells: the pixel of a wide Gaussian lies up to 8.5 px too far inside."""

SEED_SHARE: Final = 0.75
"""Local peaks of a scene lie beside cells at least this high, as a share of the highest of the nine around them."""

NINE: Final = np.ones((3, 3), np.uint8)
MAX_CANDIDATES: Final = 256  # of one keypoint in one scene; the highest are kept
PEAK_RADIUS: Final = 0.03  # share of a crop's side below which two peaks of a heatmap are one
MIN_PEAK_SCORE: Final = 0.04  # lower peaks of a crop are noise


class Peaks(NamedTuple):
    """The peaks of a batch of heatmaps, in input pixels."""

    keypoints: NDArray[np.float32]  # (B, K, 2) x and y
    scores: NDArray[np.float32]  # (B, K), the heatmap without blur at the highest pixel


class Candidates(NamedTuple):
    """Where one keypoint of a scene may be, best first."""

    points: NDArray[np.float64]  # (N, 2) x and y in input pixels, sub-pixel
    scores: NDArray[np.float64]  # (N,), the upsampled heatmap there, about 0 to 1


class AxisMatrices(NamedTuple):
    """The linear steps of decoding along one axis, (pixels, cells) float64 each."""

    upsampled: Floats  # upsampling alone; scores are read from its result
    blurred: Floats  # upsampling and blur; the highest pixel of its result is the keypoint


def make_axis_matrices(num_cells: int, *, stride: int, blur_sigma: float) -> AxisMatrices:
    """Return the matrices of an axis; upsampling doubles the resolution until there are ``stride`` pixels a cell.

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
        padded = np.pad(upsampled, ((1, 1), (0, 0)))  # zeros beyond the border, as in the transposed convolution
        doubled = 0.25 * padded[:-2] + 0.75 * upsampled, 0.75 * upsampled + 0.25 * padded[2:]
        upsampled = np.stack(doubled, axis=1).reshape(-1, num_cells)
    return AxisMatrices(upsampled=upsampled, blurred=_make_blur(len(upsampled), sigma=blur_sigma) @ upsampled)


def _make_blur(num_pixels: int, *, sigma: float) -> Floats:
    """Return the matrix (pixels, pixels) of :func:`blur_heatmap` along one axis."""
    if sigma == 0:
        return np.eye(num_pixels)
    reach = _blur_reach(sigma)
    offsets = np.arange(-reach, reach + 1)
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    rows = np.arange(num_pixels)[:, None]
    columns = (rows + offsets) % (2 * num_pixels)
    columns = np.where(columns < num_pixels, columns, 2 * num_pixels - 1 - columns)  # mirrored at the border
    blur = np.zeros((num_pixels, num_pixels))
    np.add.at(blur, (rows, columns), taps / taps.sum())
    return blur


def blur_heatmap(heatmap: np.ndarray, *, sigma: float) -> np.ndarray:
    """Blur a heatmap (h, w) as the released decoder does: a Gaussian out to four sigmas, mirrored at the border."""
    if sigma == 0:
        return heatmap
    side = 2 * _blur_reach(sigma) + 1
    return cv2.GaussianBlur(heatmap, (side, side), sigma, borderType=cv2.BORDER_REFLECT)


def _blur_reach(sigma: float) -> int:
    return int(4 * sigma + 0.5)


def apply_to_axes(heatmap: Floats, along_y: Floats, along_x: Floats) -> Floats:
    """Return ``along_y @ heatmap @ along_x.T`` in float64; infinities and NaN reach only where weights are positive."""
    finite = np.isfinite(heatmap)
    values = along_y @ np.where(finite, heatmap, 0).astype(np.float64) @ along_x.T
    if finite.all():
        return values

    def is_reached(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.sign(along_y) @ cells.astype(np.float64) @ np.sign(along_x).T > 0

    upwards, downwards = is_reached(heatmap == np.inf), is_reached(heatmap == -np.inf)
    values[upwards] = np.inf
    values[downwards] = -np.inf
    values[(upwards & downwards) | is_reached(np.isnan(heatmap))] = np.nan
    return values


def find_peak_densely(heatmap: Floats, y: AxisMatrices, x: AxisMatrices) -> tuple[int, int, float]:
    """Return row and column of a heatmap's (h, w) highest blurred pixel, the first in reading order, and its score.

    It computes every pixel: the plain reference. NaN counts as highest, as in ``argmax``.
    """
    blurred = apply_to_axes(heatmap, y.blurred, x.blurred)  # (h · stride, w · stride)
    top = blurred.max()
    if np.isfinite(top):
        blurred = blurred >= top - TIE * np.abs(heatmap[np.isfinite(heatmap)]).max()
    row, column = divmod(int(np.argmax(blurred)), blurred.shape[1])
    score = apply_to_axes(heatmap, y.upsampled[row : row + 1], x.upsampled[column : column + 1])
    return row, column, float(score[0, 0])


class _Axis:
    """One axis of heatmaps: its matrices, and which cells each pixel reads."""

    def __init__(self, num_cells: int, *, stride: int, blur_sigma: float) -> None:
        self.matrices = make_axis_matrices(num_cells, stride=stride, blur_sigma=blur_sigma)
        self._stride = stride
        self.num_pixels = num_cells * stride
        reads = self.matrices.blurred > 0
        self._first = reads.argmax(axis=1).tolist()
        self._end = (num_cells - reads[:, ::-1].argmax(axis=1)).tolist()
        distances = np.arange(self.num_pixels)[:, None] - (np.arange(num_cells) * stride + (stride - 1) / 2)
        beside = np.where(np.abs(distances) < stride, self.matrices.blurred, 0).sum(axis=1)
        self.outer_weight = float((self.matrices.blurred.sum(axis=1) - beside).max())

    def pixels(self, first_cell: int, last_cell: int, *, margin: int = 0) -> slice:
        """Return the pixels of some cells up to the centres of the cells around them."""
        start = first_cell * self._stride - self._stride // 2 - margin
        stop = (last_cell + 1) * self._stride + self._stride // 2 + margin
        return slice(max(0, start), min(self.num_pixels, stop))

    def cells(self, pixels: slice) -> slice:
        """Return the cells that some pixels read; the first and last cell grow with the pixel."""
        return slice(self._first[pixels.start], self._end[pixels.stop - 1])


class _SparseUpsampler:
    """Computes parts of upsampled heatmaps; made once for heatmaps of one shape (h, w)."""

    def __init__(self, heatmap_shape: tuple[int, int], *, stride: int, blur_sigma: float) -> None:
        self.y, self.x = (_Axis(num_cells, stride=stride, blur_sigma=blur_sigma) for num_cells in heatmap_shape)

    def read(self, heatmap: Floats, rows: slice, columns: slice, *, blurred: bool = True) -> Floats:
        """Return some pixels, (rows, columns), of a heatmap (h, w) float64 after upsampling."""
        y, x = self.y.matrices[blurred], self.x.matrices[blurred]
        y_cells, x_cells = self.y.cells(rows), self.x.cells(columns)
        values: Floats = y[rows, y_cells] @ heatmap[y_cells, x_cells] @ x[columns, x_cells].T
        return values

    def read_score(self, heatmap: Floats, row: int, column: int) -> float:
        """Return one pixel without blur."""
        return float(self.read(heatmap, slice(row, row + 1), slice(column, column + 1), blurred=False)[0, 0])

    def find_windows(self, is_candidate: NDArray[np.bool_], *, margin: int = 0) -> list[tuple[slice, slice]]:
        """Return rows and columns of pixels around each group of neighbouring cells (h, w)."""
        outlines, _ = cv2.findContours(is_candidate.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = (cv2.boundingRect(outline) for outline in outlines)
        return [
            (self.y.pixels(y, y + height - 1, margin=margin), self.x.pixels(x, x + width - 1, margin=margin))
            for x, y, width, height in boxes
        ]


class SparsePeakFinder:
    """Finds the peaks of heatmaps at a stride as if they were upsampled and blurred; made once for one shape.

    A blurred pixel is a weighted mean of the four cells it lies between, and a little of those around them. So a pixel
    that is higher than a known one has a cell beside it that is about as high, and only pixels around such cells are
    computed. Pixels that differ by rounding alone count as equal; the first in reading order is taken.

    Args:
        heatmap_shape: (h, w) of the heatmaps, cells.
        stride: Pixels per cell, a power of 2 and at least 2.
        blur_sigma: Standard deviation of the blur in pixels; 0 for none.
        subpixel: Whether to move each keypoint from its pixel to the peak of a fitted paraboloid, see
            :class:`PeakRefiner`. The score stays the pixel's.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self, heatmap_shape: tuple[int, int], *, stride: int = STRIDE, blur_sigma: float = 1.0, subpixel: bool = False
    ) -> None:
        if stride < 2:
            raise ValueError(
                f"stride must be a power of 2 and at least 2, got {stride}: such heatmaps need no upsampling"
            )
        self._heatmap_shape = height, width = (int(heatmap_shape[0]), int(heatmap_shape[1]))
        self._upsampler = _SparseUpsampler(self._heatmap_shape, stride=stride, blur_sigma=blur_sigma)
        self._inner_weight = (1 - self._upsampler.y.outer_weight) * (1 - self._upsampler.x.outer_weight)
        shape = (height * stride, width * stride)
        self._refiner = PeakRefiner(shape, spacing=stride, blur_sigma=blur_sigma) if subpixel else None

    def find(self, heatmaps: Floats) -> Peaks:
        """Find the peak of each heatmap.

        Args:
            heatmaps: (B, K, h, w); not changed. One with NaN peaks at the first pixel that a NaN reaches.

        Raises:
            ValueError: If the heatmaps are of another shape.
        """
        if heatmaps.ndim != 4 or heatmaps.shape[2:] != self._heatmap_shape:
            made_for = "(people, keypoints, {}, {})".format(*self._heatmap_shape)
            raise ValueError(f"heatmaps of shape {heatmaps.shape} do not fit a peak finder for {made_for}")
        flat = heatmaps.astype(np.float64, order="C").reshape(-1, *self._heatmap_shape)
        keypoints = np.empty((*heatmaps.shape[:2], 2), np.float32)
        scores = np.empty(heatmaps.shape[:2], np.float32)
        with np.errstate(invalid="ignore"):  # infinities
            for index, heatmap in zip(np.ndindex(scores.shape), flat, strict=True):
                x = y = 0.0
                row, column, scores[index] = self._find_peak(heatmap)
                if self._refiner is not None:
                    read = partial(self._upsampler.read, heatmap)
                    x, y = self._refiner.find_offset(row, column, read, partial(read, blurred=False))
                keypoints[index] = column + x, row + y
        return Peaks(keypoints=keypoints, scores=scores)

    def _find_peak(self, heatmap: Floats) -> tuple[int, int, float]:
        """Return row, column and score of the peak of a heatmap (h, w)."""
        upsampler = self._upsampler
        row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
        highest = float(heatmap[row, column])
        windows = [(upsampler.y.pixels(row - 1, row + 1), upsampler.x.pixels(column - 1, column + 1))]
        values = [upsampler.read(heatmap, *windows[0])]
        known = float(values[0].max())
        outer = (1 - self._inner_weight) * highest  # of any pixel, at most
        if not known > max(outer, 0):
            return find_peak_densely(heatmap, upsampler.y.matrices, upsampler.x.matrices)
        # Beside the highest pixel lies a cell of at least this; a little less, for rounding.
        is_candidate = heatmap >= (known - outer) / self._inner_weight - 1e-6 * highest
        is_candidate[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = False  # the first window's
        if is_candidate.any():
            windows += upsampler.find_windows(is_candidate)
            values += [upsampler.read(heatmap, *window) for window in windows[1:]]
        tops = [float(each.max()) for each in values]
        if not all(map(math.isfinite, tops)):
            return find_peak_densely(heatmap, upsampler.y.matrices, upsampler.x.matrices)
        equal = max(tops) - TIE * highest
        firsts = [_find_first(each >= equal, *window) for each, window in zip(values, windows, strict=True)]
        row, column = min(first for first in firsts if first is not None)
        return row, column, upsampler.read_score(heatmap, row, column)


def _find_first(is_top: NDArray[np.bool_], rows: slice, columns: slice) -> tuple[int, int] | None:
    """Return row and column of the first true pixel of a window, in reading order; None if there is none."""
    index = int(is_top.argmax())
    row, column = divmod(index, is_top.shape[1])
    return (rows.start + row, columns.start + column) if is_top[row, column] else None


class DensePeakFinder:
    """Finds the highest blurred pixel of heatmaps as they are, such as those that the network has upsampled itself.

    Arguments as for :class:`SparsePeakFinder`, but ``blur_sigma`` is in cells.
    """

    def __init__(
        self, heatmap_shape: tuple[int, int], *, stride: int = 1, blur_sigma: float = 1.0, subpixel: bool = False
    ) -> None:
        self._stride = stride
        self._sigma = blur_sigma
        spacing = max(1, STRIDE // stride)
        self._refiner = PeakRefiner(heatmap_shape, spacing=spacing, blur_sigma=blur_sigma) if subpixel else None

    def find(self, heatmaps: Floats) -> Peaks:
        """Find the peak of each heatmap (B, K, h, w); they are not changed."""
        keypoints = np.empty((*heatmaps.shape[:2], 2), np.float32)
        scores = np.empty(heatmaps.shape[:2], np.float32)
        for index in np.ndindex(*heatmaps.shape[:2]):
            x, y, scores[index] = self._find_peak(heatmaps[index])
            keypoints[index] = np.array((x, y)) * self._stride + (self._stride - 1) / 2
        return Peaks(keypoints=keypoints, scores=scores)

    def _find_peak(self, heatmap: Floats) -> tuple[float, float, float]:
        """Return x and y of the peak, in cells, and the score."""
        blurred = blur_heatmap(heatmap.astype(np.float32, copy=False), sigma=self._sigma)
        row, column = divmod(int(np.argmax(blurred)), heatmap.shape[1])
        x = y = 0.0
        if self._refiner is not None:
            x, y = self._refiner.find_offset(row, column, lambda *at: blurred[at], lambda *at: heatmap[at])
        return column + x, row + y, heatmap[row, column]


class PeakRefiner:
    """Moves peaks from their pixel to the highest point of a fitted paraboloid.

    The paraboloid is fitted to nine blurred values one cell apart and moves a peak by half a cell at most. Near the
    border upsampling and blur have changed these values. There, a Gaussian is fitted to values further inside, without
    blur; it moves a peak by 1¼ cells at most, and not out of the image. A peak whose fit has no highest point within
    reach stays where it is. The heatmap's shape is (H, W) pixels, ``spacing`` pixels per cell, ``blur_sigma`` pixels.
    """

    def __init__(self, heatmap_shape: tuple[int, int], *, spacing: int, blur_sigma: float) -> None:
        self._shape = heatmap_shape
        self._spacing = spacing
        self._nearest = 2 * spacing - 1  # upsampling lowers the outer (spacing - 1) pixels
        self._border = self._nearest + _blur_reach(blur_sigma)

    def find_offset(
        self, row: int, column: int, read_blurred: ReadPixels, read_plain: ReadPixels
    ) -> tuple[float, float]:
        """Return what to add to the peak's pixel, x and y; two functions read the heatmap with blur and without."""
        (height, width), spacing, nearest = self._shape, self._spacing, self._nearest
        if min(row, column, height - 1 - row, width - 1 - column) >= self._border:
            x, y = find_top(read_blurred(self._around(row), self._around(column)))
            return (x * spacing, y * spacing) if max(abs(x), abs(y)) <= 0.5 else (0.0, 0.0)
        if min(height, width) <= 2 * nearest:
            return 0.0, 0.0
        middle_y, middle_x = np.clip((row, column), nearest, (height - 1 - nearest, width - 1 - nearest)).tolist()
        patch = read_plain(self._around(middle_y), self._around(middle_x))
        if not (patch > 0).all():
            return 0.0, 0.0
        x, y = find_top(np.log(patch.astype(np.float64)))
        x, y = middle_x + x * spacing - column, middle_y + y * spacing - row
        if not max(abs(x), abs(y)) <= FARTHEST_NEAR_BORDER * spacing:
            return 0.0, 0.0
        return min(max(x, -0.5 - column), width - 0.5 - column), min(max(y, -0.5 - row), height - 0.5 - row)

    def _around(self, pixel: int) -> slice:
        return slice(pixel - self._spacing, pixel + self._spacing + 1, self._spacing)


def find_top(patch: Floats) -> tuple[float, float]:
    """Return where a paraboloid through values (3, 3) is highest, x and y from the middle; NaN if nowhere.

    Slopes and curvatures are central differences (Taylor's expansion to the second order).
    """
    (upper_left, upper, upper_right), (left, middle, right), (lower_left, lower, lower_right) = patch.tolist()
    slope_x, slope_y = (right - left) / 2, (lower - upper) / 2
    curve_x, curve_y = right + left - 2 * middle, lower + upper - 2 * middle
    twist = (lower_right + upper_left - lower_left - upper_right) / 4
    determinant = curve_x * curve_y - twist * twist
    if not (determinant > 0 and curve_x < 0):
        return math.nan, math.nan
    return (twist * slope_y - curve_y * slope_x) / determinant, (twist * slope_x - curve_x * slope_y) / determinant


class SeveralPeaksFinder:
    """Finds M = ``num_peaks`` peaks of each heatmap of a crop; other arguments as for :class:`SparsePeakFinder`."""

    def __init__(
        self, heatmap_shape: tuple[int, int], *, stride: int = STRIDE, blur_sigma: float, num_peaks: int
    ) -> None:
        self._radius = PEAK_RADIUS * stride * max(heatmap_shape)
        self._num_peaks = num_peaks
        self._finder = ScenePeakFinder(
            heatmap_shape, stride=stride, blur_sigma=blur_sigma, radius=self._radius, min_score=MIN_PEAK_SCORE
        )

    def find(self, heatmaps: Floats, highest: Floats) -> Floats:
        """Return x, y in input pixels and score of the peaks of heatmaps (K, h, w), highest first, (K, M, 3).

        ``highest``, (K, 3), holds each heatmap's first peak. NaN stands where a heatmap has fewer peaks.
        """
        peaks = np.full((len(heatmaps), self._num_peaks, 3), np.nan)
        peaks[:, 0] = highest
        for keypoint, candidates in zip(peaks, self._finder.find(heatmaps), strict=True):
            is_other = np.linalg.norm(candidates.points - keypoint[0, :2], axis=1) >= self._radius
            others = np.column_stack((candidates.points, candidates.scores))[is_other][: self._num_peaks - 1]
            keypoint[1 : 1 + len(others)] = others
        return peaks


class ScenePeakFinder:
    """Finds every local peak of heatmaps as if they were upsampled and blurred; made once for one shape.

    Arguments as for :class:`SparsePeakFinder`. Of peaks closer than ``radius`` pixels to each other the highest stays;
    peaks below ``min_score`` are left out.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        heatmap_shape: tuple[int, int],
        *,
        stride: int = STRIDE,
        blur_sigma: float,
        radius: float,
        min_score: float,
    ) -> None:
        if radius < 0 or min_score <= 0:
            raise ValueError(f"radius must be at least 0 and min_score positive, got {radius} and {min_score}")
        self._upsampler = _SparseUpsampler(heatmap_shape, stride=stride, blur_sigma=blur_sigma)
        self._radius = radius
        self._min_score = min_score

    def find(self, heatmaps: Floats) -> tuple[Candidates, ...]:
        """Find the candidates of each keypoint in heatmaps (K, h, w); NaN and infinities count as 0."""
        finite = np.where(np.isfinite(heatmaps), heatmaps, 0).astype(np.float64)
        return tuple(self._find_in(heatmap) for heatmap in finite)

    def _find_in(self, heatmap: Floats) -> Candidates:
        highest_around = cv2.dilate(heatmap, NINE)
        is_seed = (heatmap >= self._min_score) & (heatmap >= SEED_SHARE * highest_around)
        found = [self._find_local_peaks(heatmap, *window) for window in self._upsampler.find_windows(is_seed, margin=1)]
        x, y, heights, left, right, above, below = np.concatenate([np.empty((7, 0)), *found], axis=1)
        points = np.stack((x + _find_vertex(left, heights, right), y + _find_vertex(above, heights, below)), axis=1)
        points = points.clip(0, (self._upsampler.x.num_pixels - 1, self._upsampler.y.num_pixels - 1))
        points = points[np.argsort(-heights, kind="stable")[:MAX_CANDIDATES]]
        is_near = np.linalg.norm(points[:, None] - points[None], axis=2) < self._radius
        points = points[keep_distinct(is_near)]
        scores = np.array([self._upsampler.read_score(heatmap, y, x) for x, y in np.rint(points).astype(int).tolist()])
        is_high = scores >= self._min_score
        return Candidates(points=points[is_high], scores=scores[is_high])

    def _find_local_peaks(self, heatmap: Floats, rows: slice, columns: slice) -> Floats:
        """Return x, y, height and the left, right, upper and lower neighbours' heights of a window's peaks, (7, N)."""
        values = self._upsampler.read(heatmap, rows, columns)
        is_peak = values >= cv2.dilate(values, NINE)
        height, width = values.shape
        # The window's margin is only compared with. At the border of the heatmap there is no margin.
        is_peak[: int(rows.start > 0)] = False
        is_peak[height - int(rows.stop < self._upsampler.y.num_pixels) :] = False
        is_peak[:, : int(columns.start > 0)] = False
        is_peak[:, width - int(columns.stop < self._upsampler.x.num_pixels) :] = False
        y, x = np.nonzero(is_peak)
        left, right = values[y, np.maximum(x - 1, 0)], values[y, np.minimum(x + 1, width - 1)]
        above, below = values[np.maximum(y - 1, 0), x], values[np.minimum(y + 1, height - 1), x]
        return np.stack((columns.start + x, rows.start + y, values[y, x], left, right, above, below))


def _find_vertex(before: Floats, middle: Floats, behind: Floats) -> Floats:
    """Return where parabolas through three equidistant values (N,) are highest, from the middle, −½ to ½."""
    bend = before - 2 * middle + behind
    shift: Floats = np.where(bend < -1e-12, (before - behind) / np.where(bend < -1e-12, 2 * bend, 1), 0)
    return shift.clip(-0.5, 0.5)
