"""Every frame in its place, and the people who are seen in it."""

import numpy as np
import pytest

from efficientpose.movement.files.frames import people_in, with_every_frame


def test_damaged_frames_are_put_back(recording):
    even = with_every_frame(recording)
    assert even.frames.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(even.seconds[[0, 1, 2, 4]], recording.seconds)
    assert even.seconds[2] < even.seconds[3] < even.seconds[4]
    for track, expected in zip(even.tracks, recording.tracks, strict=True):
        np.testing.assert_array_equal(track.keypoints[[0, 1, 2, 4]], expected.keypoints)
        np.testing.assert_array_equal(track.scores[[0, 1, 2, 4]], expected.scores)
        assert not track.is_seen[3]
        assert not track.scores[3].any()
        assert np.isnan(track.boxes[3]).all()


def test_a_recording_of_every_other_frame_stays_one(make_recording):
    even = with_every_frame(make_recording(frames=(10, 16, 18)))
    assert even.frames.tolist() == [10, 12, 14, 16, 18]
    assert even.tracks[0].is_seen.tolist() == [True, False, False, True, True]


def test_no_frame_and_one(make_recording):
    assert with_every_frame(make_recording(people=(), frames=())).frames.tolist() == []
    assert with_every_frame(make_recording(people=(), frames=(7,))).frames.tolist() == [7]


def test_people_in_a_frame(recording):
    assert [person.person for person in people_in(recording, 1)] == [1, 4]
    assert [person.person for person in people_in(recording, 2)] == [1]
    assert people_in(with_every_frame(recording), 3) == []
    person = people_in(recording, 1)[0]
    assert person.placed([3, None]) == [[0, 0, 0], [0, 0, 0]]
    scores = np.delete(recording.tracks[0].scores[1], 3)
    assert person.score == pytest.approx(scores.mean(), abs=5e-5)


def test_a_box_where_the_track_has_none(recording):
    recording.tracks[0].boxes[:] = np.nan
    recording.tracks[0].keypoints[0] = np.nan
    recording.tracks[0].keypoints[0, :2] = [[30, 5], [10, 40]]
    assert people_in(recording, 0)[0].box.tolist() == [10, 5, 30, 40]
