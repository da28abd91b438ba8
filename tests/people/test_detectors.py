"""Boxes of one person told from those of two, and a detector that is not there."""

import numpy as np
import pytest

from efficientpose.people.detectors import OnnxDetector, suppress_overlapping


def test_the_better_of_two_boxes_stays():
    found = np.array([
        (0, 0, 10, 10, 0.5),
        (0, 0, 10, 20, 0.9),  # half of it is the first: 100 / 200
        (0, 5, 10, 25, 0.7),  # 150 of 250 are the second's
        (30, 0, 40, 10, 0.1),
    ])  # fmt: skip
    assert suppress_overlapping(found, max_overlap=0.55)[:, 4].tolist() == [0.9, 0.5, 0.1]
    assert suppress_overlapping(found, max_overlap=0.5)[:, 4].tolist() == [0.9, 0.1]
    assert suppress_overlapping(found[:0]).shape == (0, 5)


def test_a_box_that_only_a_suppressed_one_overlaps_stays():
    found = np.array([(0, 0, 10, 10, 0.9), (4, 0, 14, 10, 0.8), (8, 0, 18, 10, 0.7)])  # 60 of 140 each, 20 of 180
    assert suppress_overlapping(found, max_overlap=0.4)[:, 4].tolist() == [0.9, 0.7]


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such detector file"):
        OnnxDetector(tmp_path / "none.onnx")
