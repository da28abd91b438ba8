"""Drift by hand."""

import numpy as np
import pytest

from efficientpose.export.drift import measure_drift


def measure(distances, peaks):
    expected = np.zeros((2, 2, 4, 4), np.float32)
    expected[:, :, 1, 2] = peaks
    given = expected.copy()
    given[1, 1, 0, 0] = -0.25
    return measure_drift((expected,), (given,), distances=np.array(distances, float), input_size=(100, 50))


def test_found_keypoints_and_all():
    drift = measure([[0, 1], [2, 9]], [[0.3, 0.5], [0.9, 0.2]])
    assert (drift.num_crops, drift.side, drift.difference) == (2, 100, 0.25)
    assert (drift.found.num_keypoints, drift.found.median, drift.found.share_far) == (3, 1, 0)
    assert drift.found.percentile_95 == pytest.approx(1.9)  # a tenth below the largest of 0, 1, 2
    assert (drift.every.num_keypoints, drift.every.median, drift.every.share_far) == (4, 1.5, 0.25)
    assert drift.is_within(1.91)
    assert not drift.is_within(1.89)
    document = drift.as_document()
    assert document["every"]["median_of_side"] == 0.015


def test_nothing_found_is_never_within():
    drift = measure([[0, 0], [0, 0]], 0.1)
    assert not drift.is_within(1e9)
    assert drift.as_document()["found"] == {
        "num_keypoints": 0,
        "median": None,
        "percentile_95": None,
        "share_far": None,
        "median_of_side": None,
        "percentile_95_of_side": None,
    }
