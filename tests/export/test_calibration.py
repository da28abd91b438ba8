"""Calibration pictures: who is taken, who is held out, and what is said of a bad folder."""

import cv2
import numpy as np
import pytest

from efficientpose.export.calibration import MIN_PICTURES, load_calibration

SETTINGS = dict(input_size=(32, 32), num_pictures=100)


@pytest.fixture
def make_pictures(tmp_path):
    """Write grey pictures of 40 x 32 pixels, each of a shade of its own."""

    def make(count):
        for number in range(count):
            cv2.imwrite(str(tmp_path / f"{number:02}.png"), np.full((32, 40, 3), 2 * number, np.uint8))
        return tmp_path

    return make


def test_every_fourth_picture_is_held_out(make_pictures):
    crops = load_calibration(make_pictures(20), **SETTINGS)
    assert crops.fitted.shape == (15, 32, 32, 3)
    assert crops.held_out.shape == (5, 32, 32, 3)
    assert (crops.num_pictures, crops.errors) == (20, ())
    shades = [sorted(int(crop[16, 16, 0]) for crop in part) for part in (crops.fitted, crops.held_out)]
    assert sorted(shades[0] + shades[1]) == list(range(0, 40, 2))


def test_no_more_than_asked_for_and_always_the_same(make_pictures):
    folder = make_pictures(30)
    first, second = (load_calibration(folder, input_size=(32, 32), num_pictures=16) for _ in range(2))
    assert first.num_pictures == 16
    np.testing.assert_array_equal(first.fitted, second.fitted)


def test_channels_are_red_green_blue(make_pictures):
    folder = make_pictures(0)
    for number in range(16):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((32, 32, 3), (200, 0, 10), np.uint8))  # mostly blue
    assert load_calibration(folder, **SETTINGS).fitted[0, 16, 16].tolist() == [10, 0, 200]


def test_boxes(make_pictures):
    folder = make_pictures(17)
    boxes = {f"{number:02}.png": [[0, 0, 40, 32], [10, 10, 20, 20]] for number in range(16)}
    crops = load_calibration(folder, **SETTINGS, boxes=boxes)
    assert (len(crops.fitted), len(crops.held_out)) == (24, 8)
    (error,) = crops.errors
    assert "16.png" in error


def test_unreadable_pictures_are_named(make_pictures):
    folder = make_pictures(18)
    (folder / "03.png").write_bytes(b"no picture")
    (folder / "04.png").write_bytes(b"")
    crops = load_calibration(folder, **SETTINGS)
    assert crops.num_pictures == 16
    assert sorted(message.split(":")[0].rsplit("/")[-1] for message in crops.errors) == ["03.png", "04.png"]


def test_bad_folders(make_pictures, tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such folder of calibration pictures"):
        load_calibration(tmp_path / "nowhere", **SETTINGS)
    with pytest.raises(ValueError, match="no images in this folder"):
        load_calibration(tmp_path, **SETTINGS)
    folder = make_pictures(MIN_PICTURES)
    (folder / "03.png").write_bytes(b"no picture")
    few = r"15 of its 16 pictures can be used, too few.* at least 16(.|\n)*03\.png: not an image"
    with pytest.raises(ValueError, match=few):
        load_calibration(folder, **SETTINGS)
    with pytest.raises(ValueError, match="calibration needs 16 pictures or more, not 3"):
        load_calibration(folder, input_size=(32, 32), num_pictures=3)
