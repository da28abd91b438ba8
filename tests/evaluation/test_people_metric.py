"""People and joints of scenes, counted by hand, through MMEngine's contract."""

import numpy as np
import pytest
from track_switches import STANDING

from efficientpose.evaluation import PeopleMetric


def make_sample(truth, found, *, scores=None, labelled=None):
    """A scene as the runner hands it over; ``found`` may be of another number than ``truth``."""
    truth, found = np.reshape(truth, (-1, 16, 2)), np.reshape(found, (-1, 16, 2))
    visible = np.full(truth.shape[:2], 2) if labelled is None else labelled
    annotations = [
        {"keypoints": np.column_stack((points, marks)).ravel().tolist()}
        for points, marks in zip(truth, visible, strict=True)
    ]
    scores = np.ones(found.shape[:2]) if scores is None else scores
    return dict(
        img_path="scene.jpg",
        raw_ann_info=annotations or None,
        pred_instances=dict(keypoints=found, keypoint_scores=scores),
    )


def evaluate(*samples, **settings):
    metric = PeopleMetric(**settings)
    metric.process(None, list(samples))
    return metric.evaluate(len(samples))


PERSON = 200 * STANDING + (150, 150)
OTHER = PERSON + np.array((300, 0))
NOBODY = np.empty((0, 16, 2))


def test_two_scenes_by_hand():
    # Of two people one is found, with a joint that is unsure and one that is off; in the other scene, one too many.
    moved = PERSON.copy()
    moved[0] += 100
    scores = np.ones((1, 16))
    scores[0, 1] = 0.05
    first = make_sample([PERSON, OTHER], [moved], scores=scores)
    second = make_sample([PERSON], [PERSON, OTHER])
    result = evaluate(first, second)
    right, found, true = 14 + 16, 15 + 32, 48
    assert result["people/people_recall"] == pytest.approx(100 * 2 / 3)
    assert result["people/people_precision"] == pytest.approx(100 * 2 / 3)
    assert result["people/joint_recall"] == pytest.approx(100 * right / true)
    assert result["people/joint_precision"] == pytest.approx(100 * right / found)
    # 2 / (1/p + 1/r) = 2 right / (found + true)
    assert result["people/joint_f1"] == pytest.approx(100 * 2 * right / (found + true))


def test_joints_without_label_do_not_count():
    labelled = np.full((2, 16), 2)
    labelled[0, :3] = 0
    labelled[1] = 0  # somebody of whom nothing is known
    sample = make_sample([PERSON, OTHER], [PERSON], labelled=labelled)
    assert set(evaluate(sample).values()) == {100}


def test_nobody_found_and_nobody_there():
    assert set(evaluate(make_sample([PERSON], NOBODY)).values()) == {0}
    empty = make_sample(NOBODY, [OTHER])
    assert evaluate(make_sample([PERSON], [PERSON]), empty)["people/people_precision"] == 50
    with pytest.raises(ValueError, match="in 1 scenes nobody is annotated"):
        evaluate(empty)


def test_annotations_are_needed():
    sample = make_sample([PERSON], [PERSON])
    del sample["raw_ann_info"]
    with pytest.raises(ValueError, match=r"scene\.jpg: the sample has no raw_ann_info"):
        evaluate(sample)
