"""The next frame's box comes from this frame's keypoints, by hand-computed numbers."""

import numpy as np
import pytest

from efficientpose.runtime.follow import Follower
from efficientpose.runtime.predictions import Pose


class Recorder:
    """Gives prepared keypoints and keeps the boxes it was asked for."""

    name = "recorder"

    def __init__(self, answers):
        self.answers = iter(answers)
        self.boxes = []

    def predict(self, image, boxes=None):
        self.boxes.append(None if boxes is None else np.asarray(boxes).tolist())
        return (Pose(bbox=np.zeros(4), keypoints=next(self.answers)),)


def person(low=(40, 20), high=(60, 120), score=0.8):
    keypoints = np.full((16, 3), score, np.float32)
    keypoints[:, :2] = np.linspace(low, high, 16)
    return keypoints


IMAGE = np.zeros((200, 300, 3), np.uint8)


def run(answers, **settings):
    recorder = Recorder(answers)
    follower = Follower(recorder, **settings)
    for _ in answers:
        follower.predict(IMAGE)
    return recorder.boxes


def test_the_box_is_the_keypoints_with_a_margin():
    boxes = run([person(), person()], margin=0.1)
    assert boxes[0] is None
    assert boxes[1] == [[30, 10, 70, 130]]  # a tenth of 100 pixels on every side


def test_the_box_ends_at_the_picture():
    boxes = run([person(low=(-5, 2), high=(310, 190))] * 2, margin=0.1)
    assert boxes[1] == [[0, 0, 300, 200]]


def test_unsure_keypoints_do_not_count():
    keypoints = person()
    keypoints[0] = (250, 190, 0.05)
    keypoints[1] = (46, 30, 0.8)
    low, high = keypoints[1:, :2].min(axis=0), keypoints[1:, :2].max(axis=0)
    boxes = run([keypoints, keypoints], margin=0)
    np.testing.assert_allclose(boxes[1][0], [*low, *high], atol=1e-4)


@pytest.mark.parametrize(
    "lost",
    [
        person(score=0.15),
        np.where(np.arange(16)[:, None] < 3, person(), person(score=0.09)),
        np.full((16, 3), np.nan),
        person(low=(50, 50), high=(50, 50)),
        person(low=(310, 210), high=(320, 290)),
    ],
    ids=["low scores", "three keypoints", "not a number", "one point", "outside"],
)
def test_a_lost_person_is_looked_for_in_the_whole_picture(lost):
    boxes = run([person(), lost, person(), person()], margin=0, min_mean_score=0.2)
    assert boxes == [None, [[40, 20, 60, 120]], None, [[40, 20, 60, 120]]]


def test_the_first_box_can_be_given():
    assert run([person()], start=[1, 2, 30, 40]) == [[[1, 2, 30, 40]]]


def test_several_boxes_are_refused():
    with pytest.raises(ValueError, match="one person is followed, got 2 boxes"):
        Follower(Recorder([person()])).predict(IMAGE, [[0, 0, 9, 9], [1, 1, 8, 8]])
