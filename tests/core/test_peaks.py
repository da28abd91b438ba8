import cv2
import numpy as np
import pytest
import torch

from efficientpose.core.decoding import SparsePeakFinder, find_peak_densely, make_axis_matrices
from efficientpose.models.upsampling import BilinearUpsampler

SHAPES = [(28, 28), (32, 32), (46, 46), (60, 44), (12, 9), (4, 6), (1, 7), (2, 1), (1, 1)]
VARIANT_SHAPES = [(28, 28), (32, 32), (46, 46), (60, 60), (75, 75)]


def upsample_and_blur(heatmaps, *, blur_sigma=1.0):
    """What training and the released decoder do, in float64: (N, h, w) to two (N, 8h, 8w), without and with blur."""
    upsampled = BilinearUpsampler()(torch.from_numpy(np.asarray(heatmaps, np.float64))[None])[0].numpy()
    if blur_sigma == 0:
        return upsampled, upsampled
    side = 2 * int(4 * blur_sigma + 0.5) + 1
    blurred = [cv2.GaussianBlur(each, (side, side), blur_sigma, borderType=cv2.BORDER_REFLECT) for each in upsampled]
    return upsampled, np.stack(blurred)


def check(found, heatmaps, *, blur_sigma=1.0, atol=1e-6):
    """Each keypoint must be the dense maximum or as high to within ``atol``, with the score of its own pixel."""
    flat = heatmaps.reshape(-1, *heatmaps.shape[-2:])
    keypoints, scores = found.keypoints.reshape(-1, 2), found.scores.reshape(-1)
    assert keypoints.dtype == scores.dtype == np.float32
    columns, rows = keypoints.astype(int).T
    assert (keypoints == np.stack((columns, rows), axis=1)).all()
    upsampled, blurred = upsample_and_blur(flat, blur_sigma=blur_sigma)
    every = np.arange(len(flat))
    assert (blurred.max(axis=(1, 2)) - blurred[every, rows, columns]).max() <= atol
    np.testing.assert_allclose(scores, upsampled[every, rows, columns], rtol=1e-6, atol=atol)
    return np.mean(blurred.reshape(len(flat), -1).argmax(axis=1) == rows * blurred.shape[2] + columns)


def people(shape, *, num=6, seed=0):
    """Maps (num, 4, h, w) of one or two peaks of the trained width each, with some noise."""
    rng = np.random.default_rng(seed)
    height, width = shape
    rows, columns = np.arange(height)[:, None], np.arange(width)
    maps = rng.normal(0, 0.01, (num, 4, height, width))
    for index in np.ndindex(num, 4):
        for top in (rng.uniform(0.1, 1), rng.uniform(0, 1)):
            y, x = rng.uniform(-0.5, (height - 0.5, width - 0.5))
            maps[index] += top * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (0.05 * max(shape)) ** 2)
    return maps.astype(np.float32)


def find(heatmaps, **arguments):
    """Peaks of (N, h, w), as (N, 2) and (N,) lists."""
    heatmaps = np.asarray(heatmaps, np.float32)
    keypoints, scores = SparsePeakFinder(heatmaps.shape[1:], **arguments).find(heatmaps[None])
    return keypoints[0].tolist(), scores[0].tolist()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("blur_sigma", [0, 1.0, 2.5])
def test_matrices_upsample_and_blur_as_training_and_the_released_decoder_do(shape, blur_sigma):
    heatmap = np.random.default_rng(0).normal(size=shape)
    y, x = (make_axis_matrices(num, stride=8, blur_sigma=blur_sigma) for num in shape)
    upsampled, blurred = upsample_and_blur(heatmap[None], blur_sigma=blur_sigma)
    np.testing.assert_allclose(y.upsampled @ heatmap @ x.upsampled.T, upsampled[0], atol=1e-12)
    np.testing.assert_allclose(y.blurred @ heatmap @ x.blurred.T, blurred[0], atol=1e-12)


def test_doubling_by_hand():
    assert make_axis_matrices(2, stride=2, blur_sigma=0).upsampled.tolist() == [
        [0.75, 0], [0.75, 0.25], [0.25, 0.75], [0, 0.75],
    ]  # fmt: skip


def test_a_map_by_hand():
    """Along x, cells 1 and 0 become 0.75, 0.75, 0.25, 0; the only row becomes 0.75 of it, twice."""
    keypoints, scores = find([[[1, 0]], [[0, 1]], [[0.5, 1]]], stride=2, blur_sigma=0)
    assert keypoints == [[0, 0], [2, 0], [2, 0]]
    assert scores == [0.5625, 0.5625, 0.65625]  # 0.75 · (0.25 · 0.5 + 0.75 · 1) at last


@pytest.mark.parametrize("shape", VARIANT_SHAPES, ids=str)
def test_a_thousand_random_maps_peak_where_the_dense_reference_says(shape):
    """With the variants' own stride and blur, in maps of their shapes: 200 each, a fifth noise of either kind."""
    rng = np.random.default_rng(shape[0])
    finder = SparsePeakFinder(shape)
    drawn = [rng.random((5, 8, *shape)), rng.normal(size=(5, 8, *shape)), people(shape, num=30, seed=shape[0])]
    num_maps = 0
    for heatmaps in np.concatenate([each.reshape(-1, 1, 4, *shape) for each in drawn]).astype(np.float32):
        found = finder.find(heatmaps)
        assert check(found, heatmaps) == 1
        num_maps += found.scores.size
    assert num_maps == 200


@pytest.mark.parametrize(("stride", "blur_sigma"), [(8, 1.0), (8, 0), (8, 2.5), (4, 1.0), (2, 1.0)])
def test_random_maps_of_any_shape_stride_and_blur_peak_where_the_dense_route_says(stride, blur_sigma):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        finder = SparsePeakFinder(shape, stride=stride, blur_sigma=blur_sigma)
        drawn = (rng.random((1, 8, *shape)), rng.normal(size=(1, 8, *shape)), people(shape))
        for heatmaps in (each.astype(np.float32) for each in drawn):
            found = finder.find(heatmaps)
            assert found.scores.size in (8, 24)
            if stride == 8:
                # One cell is its own mirror image: in the dense route, rounding chooses between equal pixels.
                assert check(found, heatmaps, blur_sigma=blur_sigma) == 1 or 1 in shape
            else:
                y, x = (make_axis_matrices(num, stride=stride, blur_sigma=blur_sigma) for num in shape)
                expected = [find_peak_densely(each, y, x) for each in heatmaps.reshape(-1, *shape)]
                rows, columns, scores = zip(*expected, strict=True)
                assert found.keypoints.reshape(-1, 2).tolist() == list(map(list, zip(columns, rows, strict=True)))
                np.testing.assert_allclose(found.scores.reshape(-1), scores, rtol=1e-6)


@pytest.mark.parametrize("shape", [(28, 28), (75, 75)], ids=str)
def test_maps_of_people(shape):
    heatmaps = people(shape)
    assert check(SparsePeakFinder(shape).find(heatmaps), heatmaps) == 1


@pytest.mark.parametrize("value", [1.0, 0.0, -1.0, 1e-30, 1e30])
@pytest.mark.parametrize("shape", [(28, 28), (75, 75), (3, 2)], ids=str)
def test_flat_maps(value, shape):
    heatmaps = np.full((1, 2, *shape), value, np.float32)
    check(SparsePeakFinder(shape).find(heatmaps), heatmaps, atol=1e-6 * abs(value))


def test_flat_inside_peaks_at_the_first_pixel_that_no_border_lowers():
    """Upsampling lowers the outer 7 pixels of a flat map, and the blur carries that 4 further."""
    keypoints, scores = find(np.full((1, 12, 12), 0.5))
    assert keypoints == [[11, 11]]
    assert scores == [0.5]


def test_empty_maps_peak_at_the_first_pixel_with_score_zero():
    assert find(np.zeros((2, 6, 5))) == ([[0, 0], [0, 0]], [0, 0])


@pytest.mark.parametrize("places", [[(3, 9), (8, 2)], [(6, 3), (6, 8)], [(3, 3), (3, 9), (9, 3), (9, 9)]], ids=str)
def test_first_of_equal_peaks_in_reading_order(places):
    """Alone in its neighbourhood, cell (i, j) is highest on the four pixels around its centre, 8i + 3.5."""
    heatmap = np.zeros((13, 13))
    for place in places:
        heatmap[place] = 1
    row, column = min(places)
    keypoints, _ = find([heatmap])
    assert keypoints == [[8 * column + 3, 8 * row + 3]]


@pytest.mark.parametrize("row", [0, 1, 5, 10, 11])
@pytest.mark.parametrize("column", [0, 1, 4, 7, 8])
@pytest.mark.parametrize("blur_sigma", [0, 1.0, 3.0])
def test_peaks_on_borders_and_corners(row, column, blur_sigma):
    heatmaps = np.zeros((1, 3, 12, 9), np.float32)
    heatmaps[0, :, row, column] = 1
    heatmaps[0, 1] += people((12, 9), num=1)[0, 0] / 2
    heatmaps[0, 2] -= 0.5
    check(SparsePeakFinder((12, 9), blur_sigma=blur_sigma).find(heatmaps), heatmaps, blur_sigma=blur_sigma)


def test_a_wide_peak_beats_a_higher_lone_cell():
    """The highest cell alone would mislead: its pixels fall to a half by upsampling."""
    heatmap = np.zeros((20, 20))
    heatmap[4, 4] = 1
    heatmap[12:16, 12:16] = 0.9
    keypoints, scores = find([heatmap])
    assert min(keypoints[0]) >= 12 * 8
    assert scores[0] == pytest.approx(0.9)


def test_maps_without_a_positive_cell():
    heatmaps = -np.random.default_rng(0).random((2, 8, 12, 9)).astype(np.float32)
    assert check(SparsePeakFinder((12, 9)).find(heatmaps), heatmaps) > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (5, 4), (11, 8), (2, 8)], ids=str)
def test_cells_that_are_no_numbers_reach_as_far_as_in_the_dense_route(bad, place):
    heatmaps = people((12, 9), num=2)
    heatmaps[(0, slice(None), *place)] = bad
    found = SparsePeakFinder((12, 9)).find(heatmaps)
    upsampled, blurred = upsample_and_blur(heatmaps.reshape(-1, 12, 9))
    pixels = blurred.reshape(8, -1).argmax(axis=1)
    assert (found.keypoints.reshape(-1, 2) @ (1, 72)).tolist() == pixels.tolist()
    np.testing.assert_allclose(found.scores.reshape(-1), upsampled.reshape(8, -1)[np.arange(8), pixels], atol=1e-6)


def test_infinities_of_both_signs_are_nan_where_they_meet():
    heatmap = np.zeros((12, 12))
    heatmap[2, 2], heatmap[5, 4], heatmap[5, 5] = np.inf, np.inf, -np.inf
    keypoints, _ = find([heatmap])
    _, blurred = upsample_and_blur(heatmap[None])
    assert keypoints == [[float(index) for index in np.argwhere(np.isnan(blurred[0]))[0][::-1]]]


def test_one_broken_map_leaves_the_others_alone():
    heatmaps = people((28, 28))
    expected = SparsePeakFinder((28, 28)).find(heatmaps)
    heatmaps[2, 1] = np.nan
    heatmaps[3, 0] = 1
    found = SparsePeakFinder((28, 28)).find(heatmaps)
    others = np.ones((6, 4), bool)
    others[2, 1] = others[3, 0] = False
    np.testing.assert_array_equal(found.keypoints[others], expected.keypoints[others])
    np.testing.assert_array_equal(found.scores[others], expected.scores[others])
    assert found.keypoints[2, 1].tolist() == [0, 0]
    assert np.isnan(found.scores[2, 1])


@pytest.mark.parametrize("subpixel", [False, True])
def test_batch_equals_single(subpixel):
    heatmaps = people((28, 20), num=20)  # 80 maps: more than are taken at once
    finder = SparsePeakFinder((28, 20), subpixel=subpixel)
    together = finder.find(heatmaps)
    for index in range(20):
        for joint in range(4):
            alone = finder.find(heatmaps[index : index + 1, joint : joint + 1])
            np.testing.assert_array_equal(alone.keypoints[0, 0], together.keypoints[index, joint])
            np.testing.assert_array_equal(alone.scores[0, 0], together.scores[index, joint])


def test_no_people():
    keypoints, scores = SparsePeakFinder((28, 28)).find(np.zeros((0, 16, 28, 28), np.float32))
    assert (keypoints.shape, scores.shape) == ((0, 16, 2), (0, 16))


def test_input_is_left_alone_and_may_have_any_layout_and_type():
    heatmaps = people((28, 20)).astype(np.float64)
    before = heatmaps.copy()
    finder = SparsePeakFinder((28, 20))
    expected = finder.find(heatmaps)
    np.testing.assert_array_equal(heatmaps, before)
    channels_last = np.ascontiguousarray(heatmaps.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(finder.find(channels_last).keypoints, expected.keypoints)
    half = heatmaps.astype(np.float16)
    assert check(finder.find(half), half) == 1


def test_subpixel_finds_the_top_of_a_paraboloid():
    """Without blur, pixels 8 apart average cells alike, so a paraboloid stays one, lower by a constant."""
    rows, columns = np.arange(20)[:, None], np.arange(20)
    y, x = 9.3, 10.8
    heatmap = 1 - 0.002 * (rows - y) ** 2 - 0.003 * (columns - x) ** 2 + 0.001 * (rows - y) * (columns - x)
    keypoints, _ = find([heatmap], subpixel=True)
    assert keypoints[0] == pytest.approx([8 * x + 3.5, 8 * y + 3.5], abs=0.06)
    whole, _ = find([heatmap])
    assert keypoints[0] != whole[0]


def test_subpixel_moves_no_flat_peak_nor_one_beside_the_border_whose_surroundings_are_empty():
    heatmaps = np.zeros((3, 12, 12))
    heatmaps[0, 0, 5], heatmaps[1, 5, 11], heatmaps[2] = 1, 1, 1
    heatmaps[0, 1, 5], heatmaps[1, 5, 10] = 0.5, 0.5
    assert find(heatmaps, subpixel=True) == find(heatmaps)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((28, 28), dict(stride=1), "stride must be a power of 2 and at least 2, got 1"),
        ((28, 28), dict(stride=6), "got 28, 6 and 1.0"),
        ((28, 28), dict(blur_sigma=-1.0), "got 28, 8 and -1.0"),
        ((28, 28), dict(blur_sigma=float("nan")), "got 28, 8 and nan"),
        ((0, 28), {}, "got 0, 8 and 1.0"),
    ],
)
def test_numbers_out_of_range(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        SparsePeakFinder(shape, **arguments)


@pytest.mark.parametrize("shape", [(16, 28, 28), (1, 16, 28, 32), (1, 16, 28)], ids=str)
def test_maps_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"do not fit a peak finder for \(people, keypoints, 28, 28\)"):
        SparsePeakFinder((28, 28)).find(np.zeros(shape, np.float32))
