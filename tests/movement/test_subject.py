"""The one person a measurement is about: by number, by size, by a click."""

import numpy as np
import pytest

from efficientpose.movement.recording import Recording, Track
from efficientpose.movement.subject import choose_at, choose_by_number, choose_largest


def make_track(person, box, *, seen=(True, True)):
    x1, y1, x2, y2 = box
    keypoints = np.full((2, 16, 2), np.nan)
    boxes = np.full((2, 4), np.nan)
    for index in np.flatnonzero(seen):
        keypoints[index] = np.linspace((x1 + 5, y1 + 5), (x2 - 5, y2 - 5), 16)
        boxes[index] = box
    scores = np.isfinite(keypoints).all(axis=2).astype(float)
    return Track(person=person, keypoints=keypoints, scores=scores, boxes=boxes)


@pytest.fixture
def recording():
    tracks = (
        make_track(0, (0, 0, 100, 200)),
        make_track(1, (60, 0, 160, 260)),
        make_track(2, (300, 0, 500, 300), seen=(False, True)),
    )
    return Recording(
        seconds=np.array([0.0, 0.1]), frames=np.array([0, 7]), tracks=tracks, image_size=(640, 480), source="walk.mp4"
    )


def test_by_number(recording):
    assert choose_by_number(recording, 1).person == 1
    with pytest.raises(ValueError, match=r"walk\.mp4 has no person 3: there are 0, 1, 2"):
        choose_by_number(recording, 3)


def test_largest_over_the_whole_recording(recording):
    # Person 2 fills 60,000 pixels in one of two frames, person 1 26,000 in both, person 0 20,000.
    assert choose_largest(recording).person == 2
    assert choose_largest(recording.with_tracks(recording.tracks[:2])).person == 1
    with pytest.raises(ValueError, match="has nobody in it"):
        choose_largest(recording.with_tracks(()))


def test_click_takes_the_nearest_joint_of_those_around_it(recording):
    assert choose_at(recording, x=10, y=20, frame=0).person == 0
    # In both boxes; person 0's line of joints passes through (90, 180), person 1's through (132, 180).
    assert choose_at(recording, x=88, y=180, frame=0).person == 0
    assert choose_at(recording, x=99, y=120, frame=7).person == 1
    assert choose_at(recording, x=400, y=150, frame=7).person == 2


def test_click_on_nobody(recording):
    with pytest.raises(
        ValueError, match=r"nobody is at x 400, y 150 in frame 0 of walk\.mp4: person 0 in .*; person 1"
    ):
        choose_at(recording, x=400, y=150, frame=0)
    with pytest.raises(ValueError, match=r"has no frame 3: its frames are 0 to 7"):
        choose_at(recording, x=0, y=0, frame=3)
