"""People are found through windows, by an estimator that knows where they are."""

import numpy as np
import pytest

from efficientpose.core.crops import PERSON_PADDING
from efficientpose.core.poses import Pose
from efficientpose.people.search import WINDOW_SIZES, SearchDetector, find_people

IMAGE = np.zeros((400, 600, 3), np.uint8)


class Omniscient:
    """Answers with the person nearest to a box's middle; the score falls as the box is larger or smaller than they are.

    Attributes:
        asked: How many boxes each call brought.
    """

    name = "omniscient"

    def __init__(self, people):
        self.people = [np.array(person, float) for person in people]
        self.asked = []

    def predict(self, image, boxes=None):
        self.asked.append(len(boxes))
        return tuple(self._answer(np.asarray(box, float)) for box in boxes)

    def _answer(self, box):
        centre, side = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max() * PERSON_PADDING
        nobody = Pose(bbox=box, keypoints=np.column_stack((np.full((16, 2), centre), np.full(16, 0.02))))
        inside = [person for person in self.people if (np.abs((person[:2] + person[2:]) / 2 - centre) < side / 2).all()]
        if not inside:
            return nobody
        person = min(inside, key=lambda person: np.abs((person[:2] + person[2:]) / 2 - centre).sum())
        ratio = (person[2:] - person[:2]).max() / side
        score = 0.6 * max(0.0, 1 - abs(np.log2(ratio / 0.7)))
        keypoints = np.full((16, 3), score)
        keypoints[:, 0] = np.tile(np.linspace(person[0], person[2], 4), 4)
        keypoints[:, 1] = np.repeat(np.linspace(person[1], person[3], 4), 4)
        return Pose(bbox=box, keypoints=keypoints)


def boxes_of(poses):
    return [[*pose.keypoints[:, :2].min(axis=0), *pose.keypoints[:, :2].max(axis=0)] for pose in poses]


@pytest.mark.parametrize(
    "people",
    [
        [(250, 40, 350, 360)],
        [(20, 200, 70, 320)],
        [(520, 10, 590, 110), (40, 150, 120, 370)],
        [(100, 100, 160, 220), (200, 110, 260, 230), (420, 180, 500, 390)],
        [],
    ],
    ids=["one that fills the picture", "a small one", "two of two sizes", "three", "nobody"],
)
def test_everybody_is_found_once(people):
    found = boxes_of(find_people(Omniscient(people), IMAGE))
    np.testing.assert_allclose(sorted(found), sorted(list(person) for person in people))


def test_the_best_comes_first():
    people = find_people(Omniscient([(520, 10, 590, 110), (40, 60, 120, 370)]), IMAGE)
    scores = [pose.keypoints[0, 2] for pose in people]
    assert scores == sorted(scores, reverse=True)


def test_what_scores_low_is_nobody():
    estimator = Omniscient([(250, 40, 350, 360)])
    (pose,) = find_people(estimator, IMAGE)
    assert not find_people(estimator, IMAGE, min_mean_score=float(pose.keypoints[:, 2].mean()) + 0.01)


def test_half_a_person_is_not_another():
    whole, half = (200, 50, 300, 350), (200, 50, 300, 200)

    class Halves(Omniscient):
        def _answer(self, box):
            if (box[2:] - box[:2]).max() * PERSON_PADDING > 250:
                return super()._answer(box)
            upper = Omniscient([half])._answer(box)
            return Pose(bbox=box, keypoints=upper.keypoints * (1, 1, 0.8))

    np.testing.assert_allclose(boxes_of(find_people(Halves([whole]), IMAGE)), [whole])


def test_windows_cover_the_picture_by_hand_count():
    estimator = Omniscient([])
    find_people(estimator, IMAGE)
    # Sides 400, 280, 200 and 140 at steps of at most half: 2 x 1, 4 x 2, 5 x 3 and 8 x 5; and the picture.
    assert WINDOW_SIZES == (1.0, 0.7, 0.5, 0.35)
    assert estimator.asked == [2 + 8 + 15 + 40 + 1]


def test_a_picture_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="height, width, 3"):
        find_people(Omniscient([]), np.zeros((4, 4)))


def test_as_a_detector_it_gives_boxes_with_a_margin():
    (found,) = SearchDetector(Omniscient([(250, 40, 350, 360)])).detect(IMAGE)
    # 15 % of 320 pixels on every side, cut at the picture's edge
    np.testing.assert_allclose(found[:4], (202, 0, 398, 400))
    assert 0.3 <= found[4] <= 0.6
    assert SearchDetector(Omniscient([])).detect(IMAGE).shape == (0, 5)
