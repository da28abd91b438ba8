"""Hampel's rule, against hand-made jumps and a plain loop."""

import numpy as np
import pytest

from efficientpose.movement.outliers import find_outliers
from efficientpose.movement.recording import person_size


def test_a_jump_is_found_where_it_is(standing):
    keypoints = standing(20) + np.arange(20)[:, None, None] * [6.0, 0]  # walking to the right
    keypoints[7, 3] += [0, 40]
    keypoints[12, 5] += [-30, 30]
    assert np.argwhere(find_outliers(keypoints, np.arange(20) / 25)).tolist() == [[7, 3], [12, 5]]


def test_a_short_jump_is_found_to_its_ends(standing):
    for length in (1, 2, 3):
        keypoints = standing(40) + np.arange(40)[:, None, None] * [3.0, 1]
        keypoints[15 : 15 + length, 9] += [60, 0]
        found = find_outliers(keypoints, np.arange(40) / 25)[:, 9]
        assert np.flatnonzero(found).tolist() == list(range(15, 15 + length))


def test_what_is_always_believed(standing):
    keypoints = standing(30) + np.arange(30)[:, None, None] * [20.0, -4]
    keypoints[10] += [3, 4]  # 5 pixels off, of a person of 402; there is no other noise
    assert not find_outliers(keypoints, np.arange(30) / 30, min_distance=0.0125).any()
    found = find_outliers(keypoints, np.arange(30) / 30, min_distance=0.0124)
    assert np.flatnonzero(found.any(axis=1)).tolist() == [10]
    assert found[10].all()


def test_swinging_limbs_are_no_outliers(standing):
    """A wrist that swings at 2 Hz by a quarter of the body, seen to 1 pixel."""
    seconds = np.arange(100) / 30
    swing = 100 * np.stack([np.sin(4 * np.pi * seconds), np.abs(np.cos(4 * np.pi * seconds))], axis=1)
    keypoints = standing(100) + swing[:, None] + np.random.default_rng(4).normal(0, 1, (100, 16, 2))
    assert not find_outliers(keypoints, seconds).any()


def test_false_alarms_are_as_rare_as_the_rule_says(standing):
    """exp(-n²/2) of normal points lie beyond n deviations: 1.1 % at n = 3, when the window is long."""
    keypoints = standing(400) + np.random.default_rng(0).normal(0, 5, (400, 16, 2))
    found = find_outliers(keypoints, np.arange(400) / 100, window=1.0, max_deviations=3, min_distance=1e-6)
    assert found.mean() == pytest.approx(np.exp(-4.5), rel=0.35)


def plain_round(points, seconds, *, reach, smallest):
    """Which (T, 2) points to take out next, by loops, for five deviations."""
    num_frames = len(points)
    residuals, excess = np.full(num_frames, np.nan), np.zeros(num_frames)
    for frame in range(num_frames):
        places = []
        for k in range(1, min(frame, num_frames - 1 - frame) + 1):
            past, future = seconds[frame] - seconds[frame - k], seconds[frame + k] - seconds[frame]
            one, other = points[frame - k], points[frame + k]
            if max(past, future) <= reach and np.isfinite([one, other]).all():
                places.append(one + (other - one) * past / (past + future))
        if len(places) >= 3:
            residuals[frame] = np.linalg.norm(points[frame] - np.median(places, axis=0))
    for frame in range(num_frames):
        near = residuals[np.abs(seconds - seconds[frame]) <= 3 * reach]
        near = near[np.isfinite(near)]
        if len(near) >= 5 and residuals[frame] > max(5 * np.median(near) / 1.1774100225, smallest):
            excess[frame] = residuals[frame]
    is_highest = [excess[f] >= excess[np.abs(seconds - seconds[f]) <= reach].max() for f in range(num_frames)]
    return (excess > 0) & is_highest


def plain_outliers(keypoints, seconds, *, reach):
    found = np.zeros(keypoints.shape[:2], dtype=bool)
    smallest = 0.02 * person_size(keypoints)
    for keypoint in range(keypoints.shape[1]):
        points = keypoints[:, keypoint].copy()
        while (worst := plain_round(points, seconds, reach=reach, smallest=smallest)).any():
            found[worst, keypoint] = True
            points[worst] = np.nan
    return found


def test_as_plain_loops(standing):
    random = np.random.default_rng(1)
    keypoints = standing(80) + random.standard_t(1.5, (80, 16, 2)) * 3
    keypoints[random.random((80, 16)) < 0.1] = np.nan
    seconds = np.cumsum(random.uniform(0.01, 0.04, 80))
    expected = plain_outliers(keypoints, seconds, reach=0.2)
    assert expected.sum() > 10
    np.testing.assert_array_equal(find_outliers(keypoints, seconds, window=0.4), expected)


def test_too_few_to_judge_and_nobody_at_all(standing):
    keypoints = standing(4)
    keypoints[2, 0] += 300
    assert not find_outliers(keypoints, np.arange(4) / 25).any()
    assert not find_outliers(standing(1), np.zeros(1)).any()
    assert not find_outliers(np.full((9, 16, 2), np.nan), np.arange(9) / 25).any()
    assert find_outliers(np.zeros((0, 16, 2)), np.zeros(0)).shape == (0, 16)
