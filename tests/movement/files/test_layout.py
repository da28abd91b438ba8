"""Frames without gaps, and who is seen in them."""

import numpy as np
import pytest

from efficientpose.movement.files.layout import every_frame, people_in, spread, tight_boxes


def test_damaged_frames_are_put_back(recording):
    timeline = every_frame(recording)
    assert timeline.numbers.tolist() == [0, 1, 2, 3, 4]
    assert timeline.rows.tolist() == [0, 1, 2, -1, 3]
    np.testing.assert_array_equal(spread(np.array([5.0, 6, 7, 8]), timeline), [5, 6, 7, np.nan, 8])


def test_a_recording_of_every_other_frame_stays_one(make_recording):
    timeline = every_frame(make_recording(frames=(10, 16, 18)))
    assert timeline.numbers.tolist() == [10, 12, 14, 16, 18]
    assert timeline.rows.tolist() == [0, -1, -1, 1, 2]


def test_no_frame_and_one(make_recording):
    assert every_frame(make_recording(people=(), frames=())).numbers.tolist() == []
    assert every_frame(make_recording(people=(), frames=(7,))).numbers.tolist() == [7]


def test_frames_must_rise(make_recording):
    with pytest.raises(ValueError, match="frame numbers must rise; 2 at entry 2 does not"):
        every_frame(make_recording(people=(), frames=(0, 2, 2), seconds=np.array([0.0, 1, 2])))


def test_people_in_a_frame(recording):
    assert [person.person for person in people_in(recording, 1)] == [1, 4]
    assert [person.person for person in people_in(recording, 2)] == [1]
    assert people_in(recording, -1) == []
    person = people_in(recording, 1)[0]
    assert person.placed([3, None]) == [[0, 0, 0], [0, 0, 0]]
    scores = np.delete(recording.tracks[0].scores[1], 3)
    assert person.score == pytest.approx(scores.mean(), abs=5e-5)


def test_a_box_where_the_track_has_none(recording):
    recording.tracks[0].boxes[:] = np.nan
    recording.tracks[0].keypoints[0] = np.nan
    recording.tracks[0].keypoints[0, :2] = [[30, 5], [10, 40]]
    assert people_in(recording, 0)[0].box.tolist() == [10, 5, 30, 40]


def test_tight_boxes():
    keypoints = np.array([[[3.0, 8], [np.nan, 1], [5, 2]], [[np.nan] * 2] * 3])
    np.testing.assert_array_equal(tight_boxes(keypoints), [[3, 2, 5, 8], [np.nan] * 4])
