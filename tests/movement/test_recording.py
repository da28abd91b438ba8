"""Recordings hold together, and keep their raw values."""

import numpy as np
import pytest

from efficientpose.movement.recording import Recording, Track


def make_track(*, person=0, num_frames=3, num_keypoints=16):
    return Track(
        person=person,
        keypoints=np.zeros((num_frames, num_keypoints, 2)),
        scores=np.ones((num_frames, num_keypoints)),
        boxes=np.zeros((num_frames, 4)),
    )


def make_recording(seconds=(0.0, 0.04, 0.08), tracks=None):
    tracks = (make_track(),) if tracks is None else tracks
    return Recording(seconds=np.array(seconds), frames=np.arange(len(seconds)), tracks=tracks, image_size=(1280, 720))


def test_frame_rate_is_the_median_s():
    assert make_recording((0.0, 0.04, 1.0, 1.04), tracks=()).frame_rate == pytest.approx(25)
    assert np.isnan(make_recording((0.0,), tracks=()).frame_rate)


def test_raw_values_stay_through_several_filters():
    recording = make_recording()
    once = recording.with_tracks([make_track(person=1)])
    twice = once.with_tracks([make_track(person=2)])
    assert once.raw is recording
    assert twice.raw is recording
    assert twice.tracks[0].person == 2


def test_seen_where_any_keypoint_is():
    track = make_track()
    track.keypoints[0] = np.nan
    track.keypoints[1, 1:] = np.nan
    assert track.is_seen.tolist() == [False, True, True]


def test_keypoints_by_name():
    assert make_recording().index_of("left_wrist") == 15
    with pytest.raises(ValueError, match="no keypoint 'nose': there are right_ankle"):
        make_recording().index_of("nose")


def test_what_does_not_fit_together():
    with pytest.raises(ValueError, match="at entry 2 they do not"):
        make_recording((0.0, 0.04, 0.04))
    with pytest.raises(ValueError, match=r"\(4, 16\), the recording \(3, 16\)"):
        make_recording(tracks=(make_track(num_frames=4),))
    with pytest.raises(ValueError, match="person 0: keypoints"):
        Track(person=0, keypoints=np.zeros((3, 16, 3)), scores=np.ones((3, 16)), boxes=np.zeros((3, 4)))
