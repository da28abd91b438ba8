"""Paraboloids by hand, and where refinement reads near a border."""

from functools import partial

import numpy as np
import pytest

from efficientpose.core.decoding import PeakRefiner, SparsePeakFinder, find_top, make_axis_matrices

ROWS, COLUMNS = np.mgrid[-1:2, -1:2]


def paraboloid(x, y):
    return 1 - (COLUMNS - x) ** 2 / 4 - (ROWS - y) ** 2 / 2 + (COLUMNS - x) * (ROWS - y) / 8


def unread(*_):
    raise AssertionError("these values are not to be read")


def refine(patch, *, pixel=(30, 30), side=64):
    """Offset of a peak at ``pixel`` (x, y) of a square heatmap, 8 pixels a cell, with these blurred values near."""
    refiner = PeakRefiner((side, side), spacing=8, blur_sigma=1.0)
    return refiner.find_offset(pixel[1], pixel[0], lambda *_: patch, unread)


def test_the_top_of_a_paraboloid_is_found_exactly():
    np.testing.assert_allclose(find_top(paraboloid(0.25, -0.5)), (0.25, -0.5), atol=1e-12)
    np.testing.assert_allclose(refine(paraboloid(0.25, -0.5)), (2, -4), atol=1e-12)
    np.testing.assert_allclose(refine(paraboloid(0, 0.125)), (0, 1), atol=1e-12)


@pytest.mark.parametrize(
    "patch", [paraboloid(0.6, 0), -paraboloid(0.2, 0), np.ones((3, 3)), np.full((3, 3), np.nan)], ids=str
)
def test_no_top_within_half_a_step_is_no_offset(patch):
    assert refine(patch) == (0, 0)


@pytest.mark.parametrize(
    ("side", "spacing", "blur_sigma", "pixel", "is_near_border", "middle"),
    [
        # Upsampling lowers seven pixels, so the middle is 15 or more; the blur carries that four further.
        (64, 8, 1.0, 18, True, 18), (64, 8, 1.0, 19, False, 19), (64, 8, 1.0, 44, False, 44),
        (64, 8, 1.0, 45, True, 45), (64, 8, 1.0, 3, True, 15), (64, 8, 1.0, 63, True, 48), (8, 1, 0, 0, True, 1),
        (8, 1, 0, 1, False, 1), (8, 1, 0, 7, True, 6),
    ],
)  # fmt: skip
def test_where_values_are_read_along_an_axis(side, spacing, blur_sigma, pixel, is_near_border, middle):
    read = []

    def record(rows, columns):
        read.append((rows, columns))
        return paraboloid(0, 0) + 5

    refiner = PeakRefiner((side, side), spacing=spacing, blur_sigma=blur_sigma)
    refiner.find_offset(pixel, side // 2, *((unread, record) if is_near_border else (record, unread)))
    around = [slice(index - spacing, index + spacing + 1, spacing) for index in (middle, side // 2)]
    assert read == [tuple(around)]


def test_a_map_without_room_between_its_borders_keeps_the_pixel():
    refiner = PeakRefiner((30, 64), spacing=8, blur_sigma=0)
    assert refiner.find_offset(15, 30, unread, unread) == (0, 0)


def refine_near_border(gaussian, *, pixel):
    """Offset of a peak at ``pixel`` (x, y) of a map of 64 x 64 whose values are those of a function of x and y."""
    refiner = PeakRefiner((64, 64), spacing=8, blur_sigma=1.0)
    y, x = np.mgrid[:64, :64]
    values = gaussian(x, y)
    return refiner.find_offset(pixel[1], pixel[0], unread, lambda rows, columns: values[rows, columns])


def gaussian_near_border(x, y, *, pixel):
    return refine_near_border(lambda u, v: np.exp(-((u - x) ** 2 + (v - y) ** 2) / 150), pixel=pixel)


def test_a_gaussian_is_found_from_values_that_lie_beside_it():
    np.testing.assert_allclose(gaussian_near_border(2.25, 61, pixel=(1, 58)), (1.25, 3), atol=1e-9)


def test_near_a_border_nothing_moves_out_of_the_map_or_further_than_a_cell_and_a_quarter():
    np.testing.assert_allclose(gaussian_near_border(-3, 66, pixel=(1, 60)), (-1.5, 3.5), atol=1e-9)
    assert gaussian_near_border(0, 30, pixel=(10, 30)) == pytest.approx((-10, 0), abs=1e-9)
    assert gaussian_near_border(0, 30, pixel=(11, 30)) == (0, 0)


def test_values_that_are_not_positive_are_of_no_gaussian():
    np.testing.assert_allclose(gaussian_near_border(13, 30, pixel=(14, 30)), [-1, 0], atol=1e-9)
    hollow = lambda x, y: np.exp(-((x - 13) ** 2 + (y - 30) ** 2) / 150) * ((x < 23) | (y < 38))  # noqa: E731
    assert refine_near_border(hollow, pixel=(14, 30)) == (0, 0)


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
    height, width = (8 * num_cells for num_cells in shape)
    refiner = PeakRefiner((height, width), spacing=8, blur_sigma=blur_sigma)
    (pixels,), (scores,) = SparsePeakFinder(shape, blur_sigma=blur_sigma).find(maps[None])
    (keypoints,), (same_scores,) = SparsePeakFinder(shape, blur_sigma=blur_sigma, subpixel=True).find(maps[None])
    for heatmap, (column, row), keypoint in zip(maps, pixels.astype(int), keypoints, strict=True):
        upsampled = matrices[0].upsampled @ heatmap @ matrices[1].upsampled.T
        blurred = matrices[0].blurred @ heatmap @ matrices[1].blurred.T
        readers = (partial(lambda values, *window: values[window], values) for values in (blurred, upsampled))
        offset = refiner.find_offset(row, column, *readers)
        np.testing.assert_allclose(keypoint, (column + offset[0], row + offset[1]), atol=1e-4)
    np.testing.assert_array_equal(scores, same_scores)
    assert (pixels != keypoints).any() == (min(height, width) > 30)
