"""Everybody whom a detector finds, and following between its frames, by hand-computed numbers."""

import numpy as np
import pytest

from efficientpose.core.poses import CropMaps, Pose
from efficientpose.people.detected_people import DetectedPeople, check_found

IMAGE = np.zeros((200, 300, 3), np.uint8)


class Detector:
    """Finds what it is told, one entry a call, and counts the calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.num_calls = 0

    def detect(self, image):
        self.num_calls += 1
        return np.array(self.answers[min(self.num_calls, len(self.answers)) - 1], np.float32).reshape(-1, 5)


class Estimator:
    """Finds a person across the middle half of each box, and keeps the boxes."""

    name = "tiny"

    def __init__(self, score=0.8):
        self.score = score
        self.boxes = []

    def predict(self, image, boxes=None):
        self.boxes.append(np.asarray(boxes).tolist())
        poses = []
        for box in np.asarray(boxes):
            quarter = (box[2:] - box[:2]) / 4
            points = np.linspace(box[:2] + quarter, box[2:] - quarter, 16)
            poses.append(Pose(bbox=box, keypoints=np.column_stack((points, np.full(16, self.score)))))
        return tuple(poses)

    def predict_maps(self, image, box=None):
        return CropMaps(crop=image, heatmaps=np.zeros((16, 1, 1)), pafs=np.asarray(box))


def test_a_pose_for_each_box_that_lies_in_the_picture():
    found = [
        (10, 20, 50, 100, 0.9),
        (-30, 150, 40, 260, 0.8),  # as far as it is there
        (400, 0, 450, 90, 0.7),  # not there at all
        (299, 0, 330, 90, 0.6),  # a sliver
    ]
    estimator = Estimator()
    poses = DetectedPeople(estimator, Detector(found)).predict(IMAGE)
    assert [pose.bbox.tolist() for pose in poses] == [[10, 20, 50, 100], [0, 150, 40, 200]]
    assert len(estimator.boxes) == 1


def test_nobody_is_no_error():
    estimator = Estimator()
    assert DetectedPeople(estimator, Detector([])).predict(IMAGE) == ()
    assert estimator.boxes == []


def test_every_picture_is_shown_to_the_detector():
    detector = Detector([(10, 20, 50, 100, 0.9)])
    people = DetectedPeople(Estimator(), detector)
    for _ in range(3):
        assert people.predict(IMAGE)[0].bbox.tolist() == [10, 20, 50, 100]
    assert detector.num_calls == 3


def test_between_its_frames_people_are_followed():
    first, second = [(100, 40, 180, 120, 0.9)], [(20, 40, 60, 80, 0.9)]
    detector, estimator = Detector(first, second), Estimator()
    people = DetectedPeople(estimator, detector, detect_every=3)
    for _ in range(4):
        people.predict(IMAGE)
    # Joints across 120 to 160 and 60 to 100, and 0.15 of 40 around them.
    assert estimator.boxes[1] == [[114, 54, 166, 106]]
    # The middle half of that is 26 wide: 3.9 around 127 to 153 and 67 to 93.
    np.testing.assert_allclose(estimator.boxes[2], [[123.1, 63.1, 156.9, 96.9]], atol=1e-4)
    assert estimator.boxes[3] == [[20, 40, 60, 80]]
    assert detector.num_calls == 2


def test_whoever_is_lost_is_left_out_and_where_nobody_is_left_the_detector_looks():
    detector = Detector([(100, 40, 180, 120, 0.9)])
    people = DetectedPeople(Estimator(score=0.1), detector, detect_every=100)
    for _ in range(3):
        people.predict(IMAGE)
    assert detector.num_calls == 3


def test_two_that_have_become_one():
    estimator = Estimator()
    both = [(100, 40, 180, 120, 0.9), (102, 40, 182, 120, 0.8)]
    people = DetectedPeople(estimator, Detector(both), detect_every=2)
    people.predict(IMAGE)
    people.predict(IMAGE)
    assert [len(boxes) for boxes in estimator.boxes] == [2, 1]


def test_what_a_detector_of_ones_own_may_not_give():
    class Lists:
        def detect(self, image):
            return [[1, 2, 30, 40]]

    with pytest.raises(ValueError, match=r"Lists\.detect must give \(N, 5\) finite numbers.* it gave \(1, 4\)"):
        DetectedPeople(Estimator(), Lists()).predict(IMAGE)
    with pytest.raises(ValueError, match=r"it gave .*nan"):
        check_found(np.full((1, 5), np.nan), image_size=(300, 200), source=None)


def test_maps_are_the_estimator_s():
    people = DetectedPeople(Estimator(), Detector([]))
    assert people.name == "tiny"
    assert people.predict_maps(IMAGE, [1, 2, 30, 40]).pafs.tolist() == [1, 2, 30, 40]


def test_unusable_arguments():
    with pytest.raises(ValueError, match="leave out the 1 boxes"):
        DetectedPeople(Estimator(), Detector([])).predict(IMAGE, [[0, 0, 9, 9]])
    with pytest.raises(ValueError, match="uint8, BGR"):
        DetectedPeople(Estimator(), Detector([])).predict(IMAGE.astype(float))
