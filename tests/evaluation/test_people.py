"""Precision and recall of people and joints, counted by hand."""

import numpy as np
import pytest

from efficientpose.evaluation.people_metric import PeopleCounts, count_people

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
def test_half_of_somebody_is_needed(num_found, right):
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
