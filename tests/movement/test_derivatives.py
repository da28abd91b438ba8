"""Speeds and accelerations of movements with a formula."""

import numpy as np
import pytest

from efficientpose.movement.derivatives import acceleration, derivative, speed, velocity

NAN = np.nan


def test_parabolas_are_exact_at_uneven_times():
    seconds = np.array([0, 0.1, 0.15, 0.4, 0.5, 0.8])
    np.testing.assert_allclose(derivative(3 * seconds**2 - seconds, seconds), 6 * seconds - 1, atol=1e-12)


def test_missing_values_split():
    values = np.array([0, 1, NAN, 5, NAN, 0, 2, 6.0])
    expected = [1, 1, NAN, NAN, NAN, 1, 3, 5]
    np.testing.assert_allclose(derivative(values, np.arange(8.0)), expected)


def test_up_is_positive_and_in_metres():
    """Three pixels to the right and four up a frame, at 25 frames a second and 2 mm a pixel."""
    keypoints = np.arange(6)[:, None, None] * np.array([3.0, -4.0])
    seconds = np.arange(6) / 25
    np.testing.assert_allclose(velocity(keypoints, seconds, metres_per_pixel=0.002), np.tile([0.15, 0.2], (6, 1, 1)))
    np.testing.assert_allclose(speed(keypoints, seconds, metres_per_pixel=0.002), np.full((6, 1), 0.25))
    np.testing.assert_allclose(speed(keypoints, seconds), np.full((6, 1), 125.0))


def test_free_fall():
    seconds = np.arange(30) / 60
    keypoints = np.stack([np.zeros(30), 0.5 * 9.81 / 0.004 * seconds**2], axis=1)[:, None]
    result = acceleration(keypoints, seconds, metres_per_pixel=0.004)
    np.testing.assert_allclose(result, np.tile([0, -9.81], (30, 1, 1)), atol=1e-6)


@pytest.mark.parametrize("num_frames", [0, 1])
def test_hardly_any_frames(num_frames):
    result = acceleration(np.zeros((num_frames, 16, 2)), np.zeros(num_frames))
    assert result.shape == (num_frames, 16, 2)
    assert np.isnan(result).all()
