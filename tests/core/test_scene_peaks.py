"""All peaks of a scene, against upsampling the whole of it."""

import cv2
import numpy as np
import pytest

from efficientpose.core.decoding import ScenePeakFinder, apply_to_axes, make_axis_matrices


def draw(points, *, shape, sigma=13.0):
    """The highest of Gaussians exp(−d² / σ²) around points, at stride 8."""
    y, x = np.mgrid[: shape[0], : shape[1]] * 8 + 3.5
    values = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / sigma**2) for px, py in points]
    return np.max(values, axis=0) if values else np.zeros(shape)


def dense_peaks(heatmap, *, min_score, radius):
    """Pixels of the whole upsampled, blurred map that no neighbour exceeds, and no higher one within a radius."""
    axes = [make_axis_matrices(side, stride=8, blur_sigma=1.0) for side in heatmap.shape]
    blurred = apply_to_axes(heatmap, axes[0].blurred, axes[1].blurred)
    plain = apply_to_axes(heatmap, axes[0].upsampled, axes[1].upsampled)
    is_top = (blurred >= cv2.dilate(blurred, np.ones((3, 3)))) & (plain >= min_score)
    kept = []
    for _, x, y in sorted(((blurred[y, x], x, y) for y, x in np.argwhere(is_top)), reverse=True):
        if all(np.hypot(x - other_x, y - other_y) >= radius for other_x, other_y in kept):
            kept.append((x, y))
    return np.array(kept)


def make_finder(shape, **settings):
    return ScenePeakFinder(shape, **dict(stride=8, blur_sigma=1.0, radius=12.0, min_score=0.1) | settings)


def test_sub_pixel_places():
    points = [(40.3, 50.2), (150.8, 33.0), (90.0, 100.6)]
    (found,) = make_finder((20, 30)).find(draw(points, shape=(20, 30))[None])
    order = np.argsort(found.points[:, 0])
    np.testing.assert_allclose(found.points[order], sorted(points), atol=1.2)
    assert found.scores.min() > 0.6


@pytest.mark.parametrize("seed", range(30))
def test_no_peak_of_the_whole_map_is_missed(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(5, 25)), int(rng.integers(5, 25)))
    points = rng.uniform(0, np.array(shape[::-1]) * 8 - 1, (6, 2))
    heatmap = draw(points, shape=shape) * rng.uniform(0.5, 1)
    (found,) = make_finder(shape, min_score=0.2).find(heatmap[None])
    expected = dense_peaks(heatmap, min_score=0.2, radius=12)
    assert len(expected) >= 2
    distances = np.linalg.norm(expected[:, None] - found.points[None], axis=2)
    assert distances.min(axis=1).max() < 1
    assert len(found.points) == len(expected)


def test_the_higher_of_two_close_peaks_stays():
    two = [(60.0, 60.0), (96.0, 60.0)]
    heatmap = np.maximum(draw(two[:1], shape=(15, 20)), 0.7 * draw(two[1:], shape=(15, 20)))
    (apart,) = make_finder((15, 20)).find(heatmap[None])
    (close,) = make_finder((15, 20), radius=40.0).find(heatmap[None])
    assert len(apart.scores) == 2
    assert apart.scores[0] > apart.scores[1]
    np.testing.assert_allclose(close.points, apart.points[:1])


def test_a_flat_top_is_one_peak():
    heatmap = np.zeros((12, 12))
    heatmap[5:7, 5:7] = 1
    (found,) = make_finder((12, 12)).find(heatmap[None])
    np.testing.assert_allclose(found.points, [[47.5, 47.5]], atol=4)


def test_empty_and_broken_maps():
    maps = np.zeros((3, 6, 8), np.float32)
    maps[1, 2, 3], maps[2, 0, 0] = np.nan, np.inf
    for found in make_finder((6, 8)).find(maps):
        assert found.points.shape == (0, 2)
        assert found.scores.shape == (0,)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (63.0, 47.0), (0.0, 47.0)])
def test_peaks_at_the_border_stay_inside(corner):
    (found,) = make_finder((6, 8)).find(draw([corner], shape=(6, 8))[None])
    assert len(found.points) == 1
    assert (found.points >= 0).all()
    assert (found.points <= (63, 47)).all()
    np.testing.assert_allclose(found.points[0], corner, atol=8)


def test_noise_does_not_grow_without_bound():
    (found,) = make_finder((60, 60), radius=0.0).find(np.random.default_rng(0).random((1, 60, 60)))
    assert 64 < len(found.scores) <= 256


def test_numbers_out_of_range():
    with pytest.raises(ValueError, match="min_score positive"):
        make_finder((6, 8), min_score=0.0)
