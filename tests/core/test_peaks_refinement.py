"""Paraboloids by hand, and where refinement reads near a border."""

import numpy as np
import pytest

from efficientpose.core.decoding import (
    SparsePeakFinder,
    find_dense_offset,
    fit_offsets,
    fit_offsets_near_border,
    make_axis_matrices,
    make_refined_axis,
)

ROWS, COLUMNS = np.mgrid[-1:2, -1:2]


def paraboloid(x, y):
    return 1 - (COLUMNS - x) ** 2 / 4 - (ROWS - y) ** 2 / 2 + (COLUMNS - x) * (ROWS - y) / 8


def test_the_top_of_a_paraboloid_is_found_exactly():
    patches = np.stack([paraboloid(0.25, -0.5), paraboloid(0, 0.125)])
    np.testing.assert_allclose(fit_offsets(patches, spacing=8), [(2, -4), (0, 1)], atol=1e-12)


@pytest.mark.parametrize(
    "patch", [paraboloid(0.6, 0), -paraboloid(0.2, 0), np.ones((3, 3)), np.full((3, 3), np.nan)], ids=str
)
def test_no_top_within_half_a_step_is_no_offset(patch):
    assert fit_offsets(patch[None], spacing=8).tolist() == [[0, 0]]


def test_where_values_are_read_along_an_axis():
    """Upsampling lowers seven pixels, so the middle is 15 or more; the blur carries that four further."""
    axis = make_refined_axis(64, spacing=8, blur_sigma=1.0)
    assert axis.has_room
    assert np.flatnonzero(~axis.is_near_border).tolist() == list(range(19, 45))
    assert axis.middles.tolist() == [15] * 15 + list(range(15, 49)) + [48] * 15
    coarse = make_refined_axis(8, spacing=1, blur_sigma=0)
    assert np.flatnonzero(coarse.is_near_border).tolist() == [0, 7]
    assert coarse.middles.tolist() == [1, 1, 2, 3, 4, 5, 6, 6]
    assert not make_refined_axis(30, spacing=8, blur_sigma=0).has_room


def gaussian_near_border(x, y, *, pixel):
    """Offset from ``pixel`` (x, y) of a Gaussian around (x, y) in a map of 64 x 64."""
    axis = make_refined_axis(64, spacing=8, blur_sigma=1.0)
    column, row = axis.middles[pixel[0]], axis.middles[pixel[1]]
    patch = np.exp(-((column + 8 * COLUMNS - x) ** 2 + (row + 8 * ROWS - y) ** 2) / 150)
    return fit_offsets_near_border(patch[None], np.array([pixel]), axis, axis)[0]


def test_a_gaussian_is_found_from_values_that_lie_beside_it():
    np.testing.assert_allclose(gaussian_near_border(2.25, 61, pixel=(1, 58)), (1.25, 3), atol=1e-9)


def test_near_a_border_nothing_moves_out_of_the_map_or_further_than_a_cell_and_a_quarter():
    np.testing.assert_allclose(gaussian_near_border(-3, 66, pixel=(1, 60)), (-1.5, 3.5), atol=1e-9)
    assert gaussian_near_border(0, 30, pixel=(10, 30)) == pytest.approx((-10, 0), abs=1e-9)
    assert gaussian_near_border(0, 30, pixel=(11, 30)).tolist() == [0, 0]


def test_values_that_are_not_positive_are_of_no_gaussian():
    axis = make_refined_axis(64, spacing=8, blur_sigma=1.0)
    pixels = np.array([(14, 30)])
    patch = np.exp(-((8 * COLUMNS + 2) ** 2 + (8 * ROWS) ** 2) / 150)[None]
    np.testing.assert_allclose(fit_offsets_near_border(patch, pixels, axis, axis), [(-1, 0)], atol=1e-9)
    patch[0, 2, 2] = 0
    assert fit_offsets_near_border(patch, pixels, axis, axis).tolist() == [[0, 0]]


def draw_peaks(shape, *, num=80):
    """Maps (num, h, w) of one peak of the trained width each, a third of them beside a border, with some noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    maps = rng.normal(0, 0.005, (num, *shape))
    for index in range(num):
        y, x = rng.uniform(-0.5, np.array(shape) - 0.5)
        maps[index] += np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (0.05 * max(shape)) ** 2)
    return maps.astype(np.float32)


@pytest.mark.parametrize(("shape", "blur_sigma"), [((28, 28), 1.0), ((12, 9), 0), ((60, 44), 2.5), ((3, 9), 1.0)])
def test_sparse_refinement_equals_that_of_the_whole_map(shape, blur_sigma):
    maps = draw_peaks(shape)
    matrices = [make_axis_matrices(num_cells, stride=8, blur_sigma=blur_sigma) for num_cells in shape]
    y, x = (make_refined_axis(8 * num_cells, spacing=8, blur_sigma=blur_sigma) for num_cells in shape)
    (pixels,), (scores,) = SparsePeakFinder(shape, blur_sigma=blur_sigma).find(maps[None])
    (keypoints,), (same_scores,) = SparsePeakFinder(shape, blur_sigma=blur_sigma, subpixel=True).find(maps[None])
    for heatmap, (column, row), keypoint in zip(maps, pixels.astype(int), keypoints, strict=True):
        upsampled = matrices[0].upsampled @ heatmap @ matrices[1].upsampled.T
        blurred = matrices[0].blurred @ heatmap @ matrices[1].blurred.T
        offset = find_dense_offset(upsampled, blurred, (row, column), y, x)
        np.testing.assert_allclose(keypoint, (column + offset[0], row + offset[1]), atol=1e-4)
    np.testing.assert_array_equal(scores, same_scores)
    assert (pixels != keypoints).any() == all(axis.has_room for axis in (y, x))
