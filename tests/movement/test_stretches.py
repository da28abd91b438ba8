"""Runs of present values."""

import numpy as np

from efficientpose.movement.recording import as_columns, stretches


def test_runs_end_where_values_are_missing():
    present = np.array([True, True, False, True, False, False, True])
    assert stretches(present) == [slice(0, 2), slice(3, 4), slice(6, 7)]


def test_runs_end_where_they_start_anew():
    anew = np.array([True, False, True, False])
    assert stretches(np.ones(4, dtype=bool), anew) == [slice(0, 2), slice(2, 4)]


def test_nothing():
    assert stretches(np.zeros(0, dtype=bool)) == []
    assert stretches(np.zeros(3, dtype=bool)) == []
    assert as_columns(np.zeros((0, 4, 2))).shape == (0, 8)


def test_columns_are_a_copy():
    values = np.arange(6.0).reshape(3, 2)
    as_columns(values)[:] = 0
    assert values.tolist() == [[0, 1], [2, 3], [4, 5]]
