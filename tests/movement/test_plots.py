"""Angles over time as a image."""

import cv2
import numpy as np
import pytest

from efficientpose.movement.angles import angle_table
from efficientpose.movement.filtering import filter_recording
from efficientpose.movement.plots import plot_angles


@pytest.fixture
def table(standing, make_recording):
    noisy = standing(40) + np.random.default_rng(0).normal(0, 4, (40, 16, 2))
    noisy[10:20, 4] = np.nan
    return angle_table(filter_recording(make_recording(noisy, noisy + 50)).recording)


def colours(path):
    image = cv2.imread(str(path))
    assert image is not None
    codes = np.unique(image.reshape(-1, 3) @ np.array([1, 256, 256**2]))
    return {tuple(int(code) >> shift & 255 for shift in (0, 8, 16)) for code in codes}, image


def test_raw_and_filtered_lines_are_there(table, tmp_path):
    path = tmp_path / "angles.png"
    plot_angles(table, path, angles=["left_knee_flexion", "trunk"], person=0)
    seen, image = colours(path)
    assert (180, 119, 31) in seen  # C0, as BGR
    assert (179, 179, 179) in seen or (178, 178, 178) in seen  # grey 0.7
    assert (14, 127, 255) not in seen  # C1: the other person
    assert image.shape[1] == 9 * 120
    plot_angles(table, path, angles=["trunk"])
    assert (14, 127, 255) in colours(path)[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["angles.png"]


def test_all_angles_of_everybody(table, tmp_path):
    plot_angles(table, tmp_path / "all.PNG")
    assert colours(tmp_path / "all.PNG")[1].shape[0] > 21 * 150


def test_a_single_frame_is_a_dot_and_all_missing_is_empty(standing, make_recording, tmp_path):
    plot_angles(angle_table(make_recording(standing(1))), tmp_path / "one.png", angles=["trunk"])
    assert (180, 119, 31) in colours(tmp_path / "one.png")[0]
    missing = np.full((5, 16, 2), np.nan)
    plot_angles(angle_table(make_recording(missing)), tmp_path / "none.png", angles=["trunk"])
    assert (180, 119, 31) not in colours(tmp_path / "none.png")[0]


def test_what_cannot_be_drawn(table, make_recording, tmp_path):
    path = tmp_path / "angles.png"
    with pytest.raises(ValueError, match="no angle 'kne': there are left_knee_flexion, "):
        plot_angles(table, path, angles=["kne"])
    with pytest.raises(ValueError, match="no person 5: there are 0, 1"):
        plot_angles(table, path, person=5)
    with pytest.raises(ValueError, match=r"angles\.jpg: plots are PNG files; try .*angles\.png"):
        plot_angles(table, tmp_path / "angles.jpg")
    with pytest.raises(ValueError, match="there are no angles to draw: nobody was found"):
        plot_angles(angle_table(make_recording()), path)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_named(table, tmp_path):
    with pytest.raises(OSError, match="missing/angles"):
        plot_angles(table, tmp_path / "missing" / "angles.png", angles=["trunk"])
