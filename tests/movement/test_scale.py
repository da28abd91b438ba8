"""Pixels to metres, by hand."""

import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.movement.scale import scale_from_height, scale_from_length

COCO_BODY = tuple(
    f"{side}_{part}" for part in ("eye", "shoulder", "hip", "knee", "ankle") for side in ("left", "right")
)


def index(name):
    return list(KEYPOINT_NAMES).index(name)


def test_a_known_limb(standing, make_recording):
    """Thighs of 100, 100, 80 and no pixels: the median of three frames."""
    keypoints = standing(4)
    keypoints[2, index("left_knee"), 1] -= 20
    keypoints[3, index("left_knee")] = np.nan
    recording = make_recording(keypoints)
    scale = scale_from_length(recording, recording.tracks[0], "left_hip", "left_knee", metres=0.4)
    assert scale.metres_per_pixel == pytest.approx(0.004)
    assert scale.num_frames == 3
    assert scale.spread == pytest.approx((0.0045 - 0.004) / 0.004)  # quartiles of 4, 4, 5 mm: 4 and 4.5


def test_limbs_that_cannot_be_measured(standing, make_recording):
    recording = make_recording(standing(2, left_wrist=(np.nan, np.nan)), np.full((2, 16, 2), np.nan))
    track = recording.tracks[0]
    with pytest.raises(ValueError, match="person 0: no frame has both left_elbow and left_wrist"):
        scale_from_length(recording, track, "left_elbow", "left_wrist", metres=0.3)
    with pytest.raises(ValueError, match="no keypoint 'left_hand': there are right_ankle"):
        scale_from_length(recording, track, "left_elbow", "left_hand", metres=0.3)
    with pytest.raises(ValueError, match="from left_hip to left_knee must be above 0 metres, got nan"):
        scale_from_length(recording, track, "left_hip", "left_knee", metres=float("nan"))


def test_height_by_hand(standing, make_recording):
    """Head to hips 200 pixels, thigh and shank 100 each: 400 pixels are 1 - 0.039 of the height."""
    recording = make_recording(standing(5))
    scale = scale_from_height(recording, recording.tracks[0], metres=1.8)
    assert scale.metres_per_pixel == pytest.approx(1.8 * 0.961 / 400)
    assert scale.num_frames == 5
    assert scale.spread == 0


def test_only_standing_counts(standing, make_recording):
    keypoints = standing(9)
    keypoints[1, [index("left_ankle"), index("right_ankle")]] = [(215, 400), (185, 400)]  # knees bent
    keypoints[2] = keypoints[2, :, ::-1]  # lying
    keypoints[3, index("head_top")] = np.nan
    keypoints[4, index("thorax"), 0] += 60  # leaning by 24.8 degrees
    keypoints[5, [index("left_knee"), index("left_ankle")]] = np.nan  # one leg is enough
    keypoints[6, [index("left_knee"), index("right_knee")]] = np.nan  # none is not
    keypoints[7] = standing(1, left_ankle=(140, 497), right_ankle=(60, 497))[0]  # feet apart, legs nearly as long
    recording = make_recording(keypoints)
    scale = scale_from_height(recording, recording.tracks[0], metres=1.8)
    assert scale.num_frames == 4
    assert scale.metres_per_pixel == pytest.approx(1.8 * 0.961 / 400, rel=1e-3)


def test_height_by_the_eyes(make_track, make_recording):
    """Without a head top the eyes count, at 0.936: eyes to hips 180, legs 200 pixels."""
    points = [(95, 120), (105, 120), (120, 170), (80, 170), (115, 300), (85, 300)]
    points += [(115, 400), (85, 400), (115, 500), (85, 500)]
    recording = make_recording([points], names=COCO_BODY)
    scale = scale_from_height(recording, recording.tracks[0], metres=1.7)
    assert scale.metres_per_pixel == pytest.approx(1.7 * (0.936 - 0.039) / 380)


def test_heights_that_cannot_be_measured(standing, make_recording):
    sitting = standing(3, left_ankle=(215, 400), right_ankle=(185, 400))
    for keypoints, seen in ((sitting, 3), (np.full((3, 16, 2), np.nan), 0), (np.zeros((0, 16, 2)), 0)):
        recording = make_recording(keypoints)
        message = rf"no frame has the person standing upright .* \({seen} of {len(keypoints)} frames"
        with pytest.raises(ValueError, match=message):
            scale_from_height(recording, recording.tracks[0], metres=1.8)
    recording = make_recording(standing(1))
    with pytest.raises(ValueError, match="the height must be above 0 metres, got -1"):
        scale_from_height(recording, recording.tracks[0], metres=-1)


def test_skeletons_without_what_it_takes(make_recording):
    recording = make_recording(np.zeros((1, 2, 2)), names=["head_top", "left_ankle"])
    with pytest.raises(ValueError, match=r"the height needs head_top.*there are head_top, left_ankle"):
        scale_from_height(recording, recording.tracks[0], metres=1.8)
    recording = make_recording(np.zeros((1, 4, 2)), names=["head_top", "thorax", "pelvis", "left_hip"])
    with pytest.raises(ValueError, match="needs left_knee, left_ankle, right_hip, right_knee, right_ankle among"):
        scale_from_height(recording, recording.tracks[0], metres=1.8)
