"""Decoding to places between pixels: accurate up to the border, the same whole or sparsely."""

import numpy as np
import pytest
import torch

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.codecs.targets import render_heatmaps
from efficientpose.models.upsampling import BilinearUpsampler


def make(size, *, stride=1, **arguments):
    return FullResolutionHeatmap(input_size=size, heatmap_size=(size[0] // stride, size[1] // stride), **arguments)


def upsample(heatmaps):
    return BilinearUpsampler()(torch.from_numpy(heatmaps)).numpy()


@pytest.mark.parametrize(("size", "plain", "refined"), [((224, 224), 0.32, 0.07), ((368, 368), 0.26, 0.04)])
def test_subpixel_decoding_brings_the_decoder_s_own_error_down(size, plain, refined):
    points = np.random.default_rng(0).uniform(23.5, np.array(size) - 24.5, (1, 300, 2))
    coarse = render_heatmaps(
        torch.from_numpy(points), map_shape=(size[1] // 8, size[0] // 8), stride=8, sigma=0.05 * size[0]
    ).numpy()
    pixels, _ = FullResolutionHeatmap(input_size=size).decode_sparsely(coarse)
    assert np.abs(pixels - points).mean() == pytest.approx(plain, abs=0.02)
    finer = FullResolutionHeatmap(input_size=size, subpixel=True)
    keypoints, _ = finer.decode_sparsely(coarse)
    assert np.abs(keypoints - points).mean() < refined
    np.testing.assert_allclose(finer.decode(upsample(coarse)[0])[0], keypoints, atol=1e-3)


def points_up_to_the_border(size):
    """Keypoints (1, N, 2) whose x and y each take every 0.23 px within 24 px of either border, and some between."""
    side = min(size)
    beside = np.concatenate((np.arange(-0.5, 24, 0.23), np.linspace(24, side / 2, 20)))
    places = np.concatenate((beside, side - 1 - beside))
    rng = np.random.default_rng(0)
    return np.concatenate([np.stack((places, rng.permutation(places)), axis=1) for _ in range(4)])[None]


@pytest.mark.parametrize("size", [(224, 224), pytest.param((368, 368), marks=pytest.mark.slow)])
@pytest.mark.parametrize("sigma", [0.05, pytest.param(0.1, marks=pytest.mark.slow), 0.15])
def test_round_trip_at_full_resolution_ends_within_a_quarter_pixel_everywhere(size, sigma):
    """It holds at the very border and for every keypoint, where whole pixels are 1.05 px off (see the blur's test).

    The largest error, 0.114 px, is that of the narrowest peak (0.05 of 224 px) in the interior.
    """
    points = points_up_to_the_border(size)
    maps = make(size, sigma=sigma).encode(points)["heatmaps"]
    refined = np.abs(make(size, sigma=sigma, subpixel=True).decode(maps)[0] - points)
    assert refined.max() <= 0.12
    whole = np.abs(make(size, sigma=sigma).decode(maps)[0] - points)
    from_border = np.minimum(points + 0.5, size[0] - 0.5 - points)
    assert whole[from_border > 2.5].max() <= 0.5 + 1e-3
    assert whole.max() <= 1.06
    assert refined[from_border < 2.5].max() < 0.1 * whole[from_border < 2.5].max()


@pytest.mark.parametrize(
    ("size", "sigma", "at_border", "inside"),
    [
        ((224, 224), 0.05, 1.45, 0.20),
        ((224, 224), 0.15, 0.05, 0.05),
        ((368, 368), 0.05, 0.25, 0.10),
        ((368, 368), 0.15, 0.05, 0.05),
    ],
)
def test_subpixel_decoding_of_maps_at_stride_8_up_to_the_border(size, sigma, at_border, inside):
    """Upsampling lowers the outer seven pixels, so whole pixels end up to 4.8 to 8.5 px inside.

    A peak whose width is little more than a cell (0.05 of 224 px) cannot be told better than to 1.4 px there: the
    values that are left are 15 px away and more, interpolated between cells that differ by more than a half.
    """
    points = points_up_to_the_border(size)
    maps = make(size, stride=8, sigma=sigma).encode(points)["heatmaps"]
    keypoints, _ = FullResolutionHeatmap(input_size=size, subpixel=True).decode_sparsely(maps[None])
    dense, _ = FullResolutionHeatmap(input_size=size, subpixel=True).decode(upsample(maps[None])[0])
    np.testing.assert_allclose(dense, keypoints, atol=2e-3)
    error = np.abs(keypoints - points)
    whole = np.abs(FullResolutionHeatmap(input_size=size).decode_sparsely(maps[None]).keypoints - points)
    is_inside = (np.minimum(points + 0.5, size[0] - 0.5 - points) > 12).all(axis=-1)
    assert error[is_inside].max() <= inside
    assert error.max() <= at_border
    assert whole.max() > 3 * error.max()


def test_subpixel_decoding_leaves_the_score_that_of_the_pixel():
    points = points_up_to_the_border((224, 224))
    maps = make((224, 224)).encode(points)["heatmaps"]
    _, refined = make((224, 224), subpixel=True).decode(maps)
    np.testing.assert_array_equal(refined, make((224, 224)).decode(maps)[1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.0, 0.3])
def test_subpixel_decoding_of_flat_and_broken_maps_leaves_the_pixel(value):
    maps = np.full((1, 64, 64), value, np.float32)
    plain, refining = (FullResolutionHeatmap(input_size=(64, 64), subpixel=subpixel) for subpixel in (False, True))
    assert refining.decode(maps)[0].tolist() == plain.decode(maps)[0].tolist()


def test_subpixel_decoding_of_maps_without_room_beside_their_borders_leaves_the_pixel():
    maps = np.zeros((1, 16, 16), np.float32)
    maps[0, 2, 9], maps[0, 3, 9] = 1, 0.5
    codec = FullResolutionHeatmap(input_size=(16, 16), blur_sigma=0, subpixel=True)
    assert codec.decode(maps)[0].tolist() == [[[9, 2]]]
