"""Exchanged sides, by hand: the whole body, one pair, with missing keypoints, and what must not be exchanged."""

from collections import namedtuple

import numpy as np
import pytest

from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES
from efficientpose.movement.side_swaps import repair_sides, side_pairs

NAMES = list(KEYPOINT_NAMES)
Repaired = namedtuple("Repaired", "keypoints scores is_exchanged")
ANKLES = [NAMES.index("left_ankle"), NAMES.index("right_ankle")]


def exchange(keypoints, frames, columns=None):
    """Exchange the sides of some keypoints (None: all) in a slice of frames, in place."""
    columns = list(range(16)) if columns is None else columns
    partners = [FLIP_INDICES[column] for column in columns]
    keypoints[frames, columns] = keypoints[frames, partners]


def make_scores(num_frames):
    """Every keypoint has a score of its own."""
    return np.tile(np.linspace(0.2, 0.95, 16), (num_frames, 1)) + 0.001 * np.arange(num_frames)[:, None]


def repaired(keypoints, scores=None, seconds=None, **settings):
    scores = make_scores(len(keypoints)) if scores is None else scores
    seconds = np.arange(len(keypoints)) / 25 if seconds is None else seconds
    return Repaired(*repair_sides(keypoints, scores, seconds, NAMES, **settings))


@pytest.fixture
def walking(standing):
    """Someone who crosses the picture, one pixel a frame."""
    return standing(40) + np.arange(40)[:, None, None] * [1.0, 0]


def test_pairs_are_found_by_name():
    assert side_pairs(["nose", "left_eye", "right_eye", "left_toe"]) == [(1, 2)]
    assert len(side_pairs(NAMES)) == 6


@pytest.mark.parametrize("frames", [slice(10, 11), slice(10, 14), slice(0, 3), slice(37, 40), slice(20, 32)])
def test_the_whole_body(walking, frames):
    swapped, scores = walking.copy(), make_scores(40)
    swapped_scores = scores.copy()
    exchange(swapped, frames)
    exchange(swapped_scores, frames)
    result = repaired(swapped, swapped_scores)
    np.testing.assert_array_equal(result.keypoints, walking)
    np.testing.assert_array_equal(result.scores, scores)
    expected = np.zeros((40, 16), dtype=bool)
    expected[frames] = np.array(FLIP_INDICES) != np.arange(16)
    np.testing.assert_array_equal(result.is_exchanged, expected)


def test_one_pair_while_the_body_stays(walking):
    swapped = walking.copy()
    exchange(swapped, slice(5, 8), ANKLES)
    result = repaired(swapped)
    np.testing.assert_array_equal(result.keypoints, walking)
    assert np.argwhere(result.is_exchanged).tolist() == [[f, k] for f in (5, 6, 7) for k in sorted(ANKLES)]


def test_body_and_pair_at_once(walking):
    """All but the ankles exchanged: the body is turned, then the ankles turned back."""
    swapped = walking.copy()
    exchange(swapped, slice(12, 15))
    exchange(swapped, slice(12, 15), ANKLES)
    result = repaired(swapped)
    np.testing.assert_array_equal(result.keypoints, walking)
    assert not result.is_exchanged[:, ANKLES].any()
    assert result.is_exchanged[12:15].sum() == 3 * 10


def test_a_flicker(walking):
    swapped = walking.copy()
    for frame in (6, 8, 9, 11, 25):
        exchange(swapped, slice(frame, frame + 1))
    np.testing.assert_array_equal(repaired(swapped).keypoints, walking)


def test_where_all_runs_are_short_most_frames_are_right(walking):
    swapped = walking[:10].copy()
    exchange(swapped, slice(0, 4))
    np.testing.assert_array_equal(repaired(swapped).keypoints, walking[:10])


def test_a_long_run_is_not_exchanged(standing):
    keypoints = standing(60)
    swapped = keypoints.copy()
    exchange(swapped, slice(20, 38))  # 0.72 s
    np.testing.assert_array_equal(repaired(swapped).keypoints, swapped)
    np.testing.assert_array_equal(repaired(swapped, max_seconds=0.72).keypoints, keypoints)
    np.testing.assert_array_equal(repaired(swapped, max_seconds=0.71).keypoints, swapped)


def test_short_runs_follow_the_long_one_before_them(standing):
    """20 long frames, 20 exchanged, then 3 as at first: those now differ. At the start, the first long run counts."""
    keypoints = standing(60)
    exchange(keypoints, slice(20, 60))
    expected = keypoints.copy()
    exchange(keypoints, slice(40, 43))
    exchange(keypoints, slice(0, 5))
    np.testing.assert_array_equal(repaired(keypoints).keypoints, expected)


@pytest.mark.parametrize("rate", [25, 60])
@pytest.mark.parametrize("steps", [0.9, 1.3])
def test_legs_that_cross_are_not_exchanged(standing, rate, steps):
    """Ankles that swing 200 pixels through one another in opposite directions, at 1.3 Hz every 0.38 seconds."""
    seconds = (np.arange(4 * rate) + 0.5) / rate
    keypoints = standing(len(seconds))
    for ankle, sign in zip(ANKLES, (1, -1), strict=True):
        keypoints[:, ankle, 0] = 100 + sign * 100 * np.sin(2 * np.pi * steps * seconds)
    assert not repaired(keypoints, seconds=seconds).is_exchanged.any()


def test_pairs_that_cannot_be_compared_do_not_count(standing):
    """Of five pairs only the right is seen, and it jumps by 300 pixels; the shoulders by 80, which says nothing."""
    keypoints = standing(60)
    for left, right in side_pairs(NAMES):
        if NAMES[left] == "left_shoulder":
            keypoints[20:25, [left, right], 1] += 80
        else:
            keypoints[20:25, right, 1] += 300
            keypoints[:, left] = np.nan
    assert not repaired(keypoints).is_exchanged.any()


def test_a_turn_round_is_not_exchanged(standing):
    """Left and right pass one another slowly, as when somebody turns their back."""
    keypoints = standing(60)
    turn = np.cos(np.linspace(0, np.pi, 60))[:, None]
    keypoints[..., 0] = 100 + turn * (keypoints[..., 0] - 100)
    assert not repaired(keypoints).is_exchanged.any()


def test_with_one_side_missing(walking):
    """The left ankle is unseen while what is called the right one lies where the left was."""
    swapped = walking.copy()
    left, right = ANKLES
    swapped[8:10, right] = walking[8:10, left]
    swapped[8:10, left] = np.nan
    result = repaired(swapped)
    assert np.isnan(result.keypoints[8:10, right]).all()
    np.testing.assert_array_equal(result.keypoints[8:10, left], walking[8:10, left])
    scores = make_scores(40)
    np.testing.assert_array_equal(result.scores[8:10, left], scores[8:10, right])


def test_sides_are_judged_anew_after_a_long_gap(walking):
    swapped = walking.copy()
    swapped[15:21] = np.nan  # 0.28 s between the seen frames
    exchange(swapped, slice(21, 40))
    np.testing.assert_array_equal(repaired(swapped).keypoints, swapped)
    swapped = walking.copy()
    swapped[15:19] = np.nan  # 0.2 s
    exchange(swapped, slice(19, 23))
    result = repaired(swapped)
    np.testing.assert_array_equal(result.keypoints[19:], walking[19:])
    np.testing.assert_array_equal(np.isnan(result.keypoints).all(axis=(1, 2)), np.isin(np.arange(40), range(15, 19)))


def test_sides_closer_than_the_gain_stay(walking):
    """4 % of 402 pixels are 16: hips 30 apart are put right, 10 apart not."""
    for apart, is_found in ((30.0, True), (10.0, False)):
        keypoints = walking.copy()
        for name, sign in (("left_hip", 1), ("right_hip", -1)):
            keypoints[:, NAMES.index(name), 0] = 100 + np.arange(40) + sign * apart / 2
        exchange(keypoints, slice(10, 12), [NAMES.index("left_hip"), NAMES.index("right_hip")])
        assert repaired(keypoints).is_exchanged.any() == is_found


@pytest.mark.parametrize("num_frames", [0, 1])
def test_hardly_any_frames(standing, num_frames):
    result = repaired(standing(num_frames))
    np.testing.assert_array_equal(result.keypoints, standing(num_frames))
    assert result.is_exchanged.shape == (num_frames, 16)
    assert not result.is_exchanged.any()


def test_nobody_and_no_pairs(standing):
    assert not repaired(np.full((5, 16, 2), np.nan)).is_exchanged.any()
    points = standing(5)[:, :2]
    keypoints, _, _ = repair_sides(points, np.ones((5, 2)), np.arange(5) / 25, ["nose", "left_eye"])
    np.testing.assert_array_equal(keypoints, points)
