"""Recordings hold together, and keep their raw values."""

from dataclasses import replace

import numpy as np
import pytest

from efficientpose.core.poses import Pose
from efficientpose.movement.recording import PeopleFrame, Recording, Track, as_columns, person_size, stretches


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


@pytest.mark.parametrize("rate", [10, 24 / 1.001, 25, 30 / 1.001, 30, 60, 120, 240])
@pytest.mark.parametrize("decimals", [3, 6])
def test_frame_rate_in_spite_of_rounded_times(rate, decimals):
    """Matroska rounds to milliseconds: the steps at 60 a second are 16 and 17 ms, whose median is 58.82 a second."""
    assert make_recording(np.round(np.arange(150) / rate, decimals), tracks=()).frame_rate == pytest.approx(rate)


def test_frame_rate_counts_left_out_frames():
    recording = make_recording((0.0, 0.04, 0.16, 0.2), tracks=())
    assert replace(recording, frames=np.array([3, 4, 7, 8])).frame_rate == 25


def test_frame_rate_where_it_is_not_even():
    """15 frames at 30 a second, then 15 at 10: the mean, so that an even format lasts as long."""
    seconds = np.cumsum([0.0] + [1 / 30] * 14 + [0.1] * 15)
    assert make_recording(seconds, tracks=()).frame_rate == pytest.approx(29 / seconds[-1])
    assert np.isnan(make_recording((0.0,), tracks=()).frame_rate)


def test_the_stream_s_rate_wins():
    assert replace(make_recording(tracks=()), stream_rate=25.1).frame_rate == 25.1
    assert replace(make_recording(tracks=()), stream_rate=30.0).frame_rate == 25  # the times say otherwise


def test_from_frames():
    pose = Pose(bbox=np.array([1.0, 2, 3, 4]), keypoints=np.full((16, 3), 0.5, np.float32))
    unsure = Pose(bbox=np.full(4, np.nan), keypoints=np.column_stack((np.zeros((16, 2)), np.full(16, np.nan))))
    frames = [PeopleFrame(0, 0.0, ()), PeopleFrame(2, 0.1, (unsure, pose))]
    recording = Recording.from_frames(frames, image_size=(64, 48), source="walk")
    assert (recording.frames.tolist(), recording.seconds.tolist(), recording.source) == ([0, 2], [0, 0.1], "walk")
    assert [track.is_seen.tolist() for track in recording.tracks] == [[False, True], [False, True]]
    assert recording.tracks[0].scores[1].tolist() == [0] * 16
    assert recording.tracks[0].boxes[1].tolist() == [0, 0, 0, 0]
    assert recording.tracks[1].boxes[1].tolist() == [1, 2, 3, 4]


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
    with pytest.raises(ValueError, match="frame numbers must rise from frame to frame; at entry 1 they do not"):
        replace(make_recording(), frames=np.array([0, 0, 1]))
    with pytest.raises(ValueError, match=r"\(4, 16\), the recording \(3, 16\)"):
        make_recording(tracks=(make_track(num_frames=4),))
    with pytest.raises(ValueError, match="person 0: keypoints"):
        Track(person=0, keypoints=np.zeros((3, 16, 3)), scores=np.ones((3, 16)), boxes=np.zeros((3, 4)))


def test_person_size_is_the_median_diagonal(standing):
    keypoints = standing(3)
    assert person_size(keypoints) == pytest.approx(np.hypot(40, 400))
    keypoints[0] = np.nan
    keypoints[1, 0] += 1000
    assert np.isnan(person_size(keypoints[:1]))
    assert person_size(keypoints[[0, 2]]) == pytest.approx(np.hypot(40, 400))


def test_runs_end_where_values_are_missing():
    present = np.array([True, True, False, True, False, False, True])
    assert stretches(present) == [slice(0, 2), slice(3, 4), slice(6, 7)]


def test_runs_end_where_they_start_anew():
    anew = np.array([True, False, True, False])
    assert stretches(np.ones(4, dtype=bool), anew) == [slice(0, 2), slice(2, 4)]


def test_no_runs():
    assert stretches(np.zeros(0, dtype=bool)) == []
    assert stretches(np.zeros(3, dtype=bool)) == []
    assert as_columns(np.zeros((0, 4, 2))).shape == (0, 8)


def test_columns_are_a_copy():
    values = np.arange(6.0).reshape(3, 2)
    as_columns(values)[:] = 0
    assert values.tolist() == [[0, 1], [2, 3], [4, 5]]
