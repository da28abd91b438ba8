"""The next frame's box comes from this frame's keypoints, by hand-computed numbers."""

import numpy as np
import pytest

from efficientpose.core.poses import Pose
from efficientpose.people import following as follow
from efficientpose.people.following import FRAMES_BETWEEN_SEARCHES, Follower


class Recorder:
    """Gives prepared keypoints and keeps the boxes it was asked for."""

    name = "recorder"

    def __init__(self, answers):
        self.answers = iter(answers)
        self.boxes = []

    def predict(self, image, boxes=None):
        self.boxes.append(None if boxes is None else np.asarray(boxes).tolist())
        return (Pose(bbox=np.zeros(4), keypoints=next(self.answers)),)


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """What a search finds, poses; and how often one was made."""
    people, searches = [], []

    def find_people(estimator, image):
        searches.append(image.shape)
        return tuple(people)

    monkeypatch.setattr(follow, "find_people", find_people)
    return people, searches


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


def as_pose(keypoints):
    return Pose(bbox=np.zeros(4), keypoints=keypoints)


LOST = person(score=0.1)


def test_where_the_whole_picture_shows_nobody_it_is_searched(found):
    people, searches = found
    people.append(as_pose(person(low=(100, 20), high=(120, 120), score=0.6)))
    recorder = Recorder([LOST, person()])
    follower = Follower(recorder, margin=0)
    (pose,) = follower.predict(IMAGE)
    follower.predict(IMAGE)
    assert pose is people[0]
    assert len(searches) == 1
    assert recorder.boxes == [None, [[100, 20, 120, 120]]]


def test_while_nobody_is_there_a_search_is_made_in_every_tenth_frame(found):
    num_frames = 2 * FRAMES_BETWEEN_SEARCHES + 1
    boxes = run([LOST] * num_frames)
    assert boxes == [None] * num_frames
    assert len(found[1]) == 3


def test_a_new_loss_is_searched_at_once(found):
    run([LOST, person(), LOST, LOST])
    assert len(found[1]) == 2


def test_of_several_people_the_one_where_the_person_was_last_is_followed(found):
    people, _ = found
    people.append(as_pose(person(low=(200, 20), high=(220, 120), score=0.9)))
    people.append(as_pose(person(low=(42, 22), high=(62, 122), score=0.5)))
    recorder = Recorder([person(), LOST, person()])
    follower = Follower(recorder, margin=0)
    answers = [follower.predict(IMAGE)[0] for _ in range(3)]
    assert answers[1] is people[1]
    assert recorder.boxes[2] == [[42, 22, 62, 122]]


def test_a_box_that_is_given_is_not_left(found):
    follower = Follower(Recorder([LOST]))
    follower.predict(IMAGE, [[10, 10, 50, 90]])
    assert not found[1]


def test_the_first_box_can_be_given():
    assert run([person()], start=[1, 2, 30, 40]) == [[[1, 2, 30, 40]]]


def test_several_boxes_are_refused():
    with pytest.raises(ValueError, match="one person is followed, got 2 boxes"):
        Follower(Recorder([person()])).predict(IMAGE, [[0, 0, 9, 9], [1, 1, 8, 8]])
