"""Pixels to metres, by hand."""

import numpy as np
import pytest

from efficientpose.movement.files.markers import marker_positions, require_rate


def test_y_points_up_from_the_lowest_pixels(make_recording):
    recording = make_recording(image_size=(640, 480))
    keypoints = np.array([[[100.0, 479], [100, 0], [np.nan, 3]]])
    metres = marker_positions(recording, keypoints, metres_per_pixel=0.01)
    np.testing.assert_allclose(metres, [[[1, 0, 0], [1, 4.79, 0], [np.nan] * 3]], atol=1e-12)
    np.testing.assert_allclose(
        marker_positions(recording, keypoints, metres_per_pixel=None), [[[0.1, 0, 0], [0.1, 0.479, 0], [np.nan] * 3]]
    )


@pytest.mark.parametrize("scale", [0, -1.0, np.nan, np.inf])
def test_scales_that_are_none(recording, scale):
    with pytest.raises(ValueError, match="metres_per_pixel must be a positive number"):
        marker_positions(recording, recording.tracks[0].keypoints, metres_per_pixel=scale)


def test_unknown_height_and_rate(make_recording):
    recording = make_recording(image_size=(0, 0))
    with pytest.raises(ValueError, match=r"clip.mp4: y upwards needs the video's height.*image_size="):
        marker_positions(recording, recording.tracks[0].keypoints, metres_per_pixel=None)
    with pytest.raises(ValueError, match="has 1 frames; TRC files name a frame rate, which takes two"):
        require_rate(make_recording(people=(), frames=(0,)), "TRC")
