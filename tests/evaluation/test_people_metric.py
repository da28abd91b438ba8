"""People and keypoints of scenes, counted by hand, as arrays and through MMEngine's contract."""

import numpy as np
import pytest
from track_switches import STANDING

from efficientpose.evaluation.people_metric import PeopleCounts, PeopleMetric, count_people


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
    labelled[1] = 0  # a person without labels
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


BASE = np.stack((np.linspace(0, 60, 16), np.linspace(0, 200, 16)), axis=1)


def boxes(truth):
    return np.concatenate((np.nanmin(truth, axis=1), np.nanmax(truth, axis=1)), axis=1)


def test_all_found():
    truth = np.stack([BASE, BASE + np.array((300, 0))])
    counts = count_people(truth, truth[::-1], boxes=boxes(truth))
    assert counts == PeopleCounts(2, 2, 2, 32, 32, 32)
    assert set(counts.scores.values()) == {100.0}


def test_one_missed_one_made_up_and_some_joints_wrong():
    truth = np.stack([BASE, BASE + np.array((300, 0))])
    truth[0, 15] = np.nan
    boxes_of_truth = boxes(truth)
    found = np.stack([BASE, BASE + np.array((900, 0))])
    found[0, 0] += (0, 19.9 * 186.7 / 200)  # the box is 186.7 high: a tenth of it is right, more is wrong
    found[0, 1] += (0, 21)
    found[0, 2] = np.nan
    found[1, :6] = np.nan
    # True: 31 joints. Found: of the pair 14 that are labelled (2 is not found, 15 is not labelled), of the other 10.
    counts = count_people(truth, found, boxes=boxes_of_truth)
    assert counts == PeopleCounts(2, 2, 1, 31, 24, 13)
    assert counts.scores["joint recall"] == pytest.approx(100 * 13 / 31)
    assert counts.scores["people precision"] == 50


def test_joints_that_nobody_labels_do_not_count():
    truth = BASE[None].copy()
    truth[0, 6:8] = np.nan
    counts = count_people(truth, np.stack([BASE, BASE + np.array((500, 0))]), boxes=boxes(truth))
    assert counts == PeopleCounts(1, 2, 1, 14, 28, 14)


@pytest.mark.parametrize(("num_found", "right"), [(7, 0), (8, 1)])
def test_a_person_needs_half_the_keypoints(num_found, right):
    found = BASE[None].copy()
    found[0, num_found:] = np.nan
    counts = count_people(BASE[None], found, boxes=boxes(BASE[None]))
    assert counts == PeopleCounts(1, 1, right, 16, num_found, right * num_found)


def test_nobody():
    nobody = np.zeros((0, 16, 2))
    assert count_people(BASE[None], nobody, boxes=boxes(BASE[None])) == PeopleCounts(1, 0, 0, 16, 0, 0)
    empty = count_people(nobody, nobody, boxes=np.zeros((0, 4)))
    assert empty == PeopleCounts()
    assert np.isnan(list(empty.scores.values())).all()
    assert PeopleCounts(1, 2, 3, 4, 5, 6).plus(PeopleCounts(1, 1, 1, 1, 1, 1)) == PeopleCounts(2, 3, 4, 5, 6, 7)
