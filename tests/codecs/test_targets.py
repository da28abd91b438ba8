import math

import numpy as np
import pytest
import torch

from efficientpose.codecs.targets import cell_centres, keypoint_weights, limb_weights, render_heatmaps, render_pafs
from efficientpose.core.skeleton import LIMBS

INPUT_SIZE = (64, 40)
STRIDES = [1, 8]
# Inside, at each border, in a corner, just outside, far outside; x, y in an input of 64 × 40.
POINTS = [
    (20.3, 11.9), (0.0, 17.2), (63.0, 17.2), (31.7, 0.0), (31.7, 39.0), (0.0, 0.0), (63.0, 39.0),
    (-0.5, 20.1), (64.2, 20.1), (-30.0, -30.0), (200.0, 90.0), (3.5, 3.5),
]  # fmt: skip


def plain_heatmap(point, *, map_shape, stride, sigma):
    """One map by Eq. 4, cell by cell in double precision."""
    heatmap = np.zeros(map_shape)
    for row in range(map_shape[0]):
        for column in range(map_shape[1]):
            x, y = stride * column + (stride - 1) / 2, stride * row + (stride - 1) / 2
            heatmap[row, column] = math.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / sigma**2)
    return heatmap


def plain_paf(start, end, *, map_shape, stride, half_width):
    """One limb's field (2, height, width), cell by cell in double precision."""
    field = np.zeros((2, *map_shape))
    length = math.dist(start, end)
    if length <= 0.01:
        return field
    unit = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    for row in range(map_shape[0]):
        for column in range(map_shape[1]):
            x = stride * column + (stride - 1) / 2 - start[0]
            y = stride * row + (stride - 1) / 2 - start[1]
            along, across = x * unit[0] + y * unit[1], x * unit[1] - y * unit[0]
            if 0 <= along <= length and abs(across) <= half_width:
                field[:, row, column] = unit
    return field


def map_shape_at(stride):
    return INPUT_SIZE[1] // stride, INPUT_SIZE[0] // stride


def test_cell_centres_by_hand():
    assert cell_centres(3, stride=1).tolist() == [0, 1, 2]
    assert cell_centres(3, stride=8).tolist() == [3.5, 11.5, 19.5]


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("sigma", [1.0, 3.2, 20.0])
def test_heatmaps_equal_the_plain_loop(stride, sigma):
    map_shape = map_shape_at(stride)
    maps = render_heatmaps(torch.tensor([POINTS, POINTS[::-1]]), map_shape=map_shape, stride=stride, sigma=sigma)
    assert maps.shape == (2, len(POINTS), *map_shape)
    points = np.array(POINTS, np.float32).astype(float)
    expected = np.stack([plain_heatmap(point, map_shape=map_shape, stride=stride, sigma=sigma) for point in points])
    np.testing.assert_allclose(maps[0].numpy(), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(maps[1].numpy(), expected[::-1], rtol=0, atol=1e-6)


def test_heatmap_by_hand_has_no_factor_two():
    maps = render_heatmaps(torch.tensor([[[2.0, 1.0]]]), map_shape=(3, 6), stride=1, sigma=2.0)[0, 0]
    assert maps[1, 2] == 1
    assert maps[1, 4].item() == pytest.approx(math.exp(-1))  # two pixels away
    assert maps[2, 3].item() == pytest.approx(math.exp(-0.5))  # one pixel right, one down


def test_heatmap_peaks_in_the_cell_that_holds_the_keypoint():
    maps = render_heatmaps(torch.tensor([[[19.5, 11.5]]]), map_shape=(5, 8), stride=8, sigma=3.2)[0, 0]
    assert maps[1, 2] == 1
    assert maps[1, 3].item() == maps[1, 1].item() == pytest.approx(math.exp(-((8 / 3.2) ** 2)))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("half_width", [3.0, 8.0, 20.0])
def test_pafs_equal_the_plain_loop(stride, half_width):
    map_shape = map_shape_at(stride)
    rng = np.random.default_rng(0)
    keypoints = rng.uniform((-20, -20), (84, 60), (3, 16, 2)).astype(np.float32)
    keypoints[0, 3] = keypoints[0, 2]
    fields = render_pafs(
        torch.from_numpy(keypoints), LIMBS, map_shape=map_shape, stride=stride, half_width=half_width
    ).numpy()
    assert fields.shape == (3, 28, *map_shape)
    for person, points in enumerate(keypoints.astype(float).tolist()):
        for number, (proximal, distal) in enumerate(LIMBS):
            expected = plain_paf(
                points[proximal], points[distal], map_shape=map_shape, stride=stride, half_width=half_width
            )
            np.testing.assert_allclose(fields[person, 2 * number : 2 * number + 2], expected, rtol=0, atol=1e-6)


def test_paf_of_a_horizontal_limb_by_hand():
    # Cells lie at 3.5, 11.5, 19.5 and 27.5. The limb runs along the second row from the second to the fourth cell; a
    # band of one cell's half-width takes in the rows beside it.
    points = torch.tensor([[[11.0, 11.5], [28.0, 11.5]]])
    x, y = render_pafs(points, [(0, 1)], map_shape=(4, 4), stride=8, half_width=8.0)[0]
    assert x.tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]]
    assert y.eq(0).all()
    x_back, _ = render_pafs(points, [(1, 0)], map_shape=(4, 4), stride=8, half_width=8.0)[0]
    assert x_back.equal(-x)


def test_paf_of_a_diagonal_limb_by_hand():
    # From the first to the third cell of the diagonal, one pixel longer at both ends. A cell beside the diagonal is
    # 8 / sqrt(2) = 5.7 px off the line and inside the band of 8 px, the next one is 11.3 px off and outside.
    points = torch.tensor([[[2.5, 2.5], [20.5, 20.5]]])
    x, y = render_pafs(points, [(0, 1)], map_shape=(4, 4), stride=8, half_width=8.0)[0]
    inside = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(x, inside * math.sqrt(0.5))
    torch.testing.assert_close(y, inside * math.sqrt(0.5))


def test_paf_points_down_from_the_neck_to_the_thorax():
    points = torch.zeros(1, 16, 2)
    points[0, 8], points[0, 7] = torch.tensor([11.5, 3.0]), torch.tensor([11.5, 28.0])
    fields = render_pafs(points, LIMBS, map_shape=(4, 4), stride=8, half_width=2.0)[0]
    number = LIMBS.index((8, 7))
    assert fields[2 * number].eq(0).all()
    assert fields[2 * number + 1, :, 1].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("length", [0.0, 0.005])
def test_limb_without_length_leaves_an_empty_field(length):
    points = torch.tensor([[[11.5, 11.5], [11.5 + length, 11.5]]])
    assert render_pafs(points, [(0, 1)], map_shape=(4, 4), stride=8, half_width=8.0).eq(0).all()


def test_mirrored_limb_gives_the_mirrored_field_with_the_opposite_x():
    points = torch.tensor([[[5.2, 7.1], [25.4, 20.9]]])
    mirrored = points.clone()
    mirrored[..., 0] = 31 - points[..., 0]
    x, y = render_pafs(points, [(0, 1)], map_shape=(4, 4), stride=8, half_width=8.0)[0]
    x_mirrored, y_mirrored = render_pafs(mirrored, [(0, 1)], map_shape=(4, 4), stride=8, half_width=8.0)[0]
    assert x.any()
    torch.testing.assert_close(x_mirrored, -x.flip(-1))
    torch.testing.assert_close(y_mirrored, y.flip(-1))


@pytest.mark.parametrize(
    ("point", "weight"),
    [
        ((-0.5, 0.0), 1), ((-0.51, 0.0), 0), ((63.49, 0.0), 1), ((63.5, 0.0), 0),
        ((0.0, -0.5), 1), ((0.0, -0.51), 0), ((0.0, 39.49), 1), ((0.0, 39.5), 0), ((np.nan, 3.0), 0),
    ],
)  # fmt: skip
def test_keypoint_counts_where_it_is_on_a_pixel_of_the_input(point, weight):
    weights = keypoint_weights(torch.tensor([[point]]), torch.ones(1, 1), input_size=INPUT_SIZE)
    assert weights.tolist() == [[weight]]


def test_keypoint_counts_where_it_is_labelled():
    points = torch.tensor([[[5.0, 5.0], [5.0, 5.0], [np.nan, np.nan]]])
    weights = keypoint_weights(points, torch.tensor([[0.5, 0.0, 0.0]]), input_size=INPUT_SIZE)
    assert weights.tolist() == [[0.5, 0, 0]]
    assert weights.dtype == torch.float32


def test_limb_counts_where_both_its_joints_are_labelled():
    labelled = torch.tensor([[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    assert limb_weights(labelled, [(0, 1), (1, 2), (2, 0)]).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_no_limbs_give_no_fields():
    fields = render_pafs(torch.zeros(2, 3, 2), [], map_shape=(4, 5), stride=8, half_width=8.0)
    assert fields.shape == (2, 0, 4, 5)
    assert limb_weights(torch.ones(2, 3), []).shape == (2, 0)
