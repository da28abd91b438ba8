"""The best matching, against every possible one and against SciPy."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from efficientpose.core.assignment import match_best


def best_total_by_trying(scores):
    """Every set of pairs."""
    num_rows, num_columns = scores.shape
    best = 0.0
    for size in range(1, min(scores.shape) + 1):
        for rows in combinations(range(num_rows), size):
            for columns in permutations(range(num_columns), size):
                best = max(best, sum(scores[row, column] for row, column in zip(rows, columns, strict=True)))
    return best


def total(scores, pairs):
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    chosen = scores[pairs[:, 0], pairs[:, 1]]
    assert (chosen > 0).all()
    return chosen.sum()


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_trying_everything(seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.2, 1, rng.integers(1, 5, 2))
    assert total(scores, match_best(scores)) == pytest.approx(best_total_by_trying(scores))


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (17, 3), (40, 40), (25, 31)])
@pytest.mark.parametrize("sparse", [False, True])
def test_equal_to_scipy(shape, sparse):
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.uniform(0, 1, shape) * (rng.random(shape) < 0.2 if sparse else 1)
        rows, columns = linear_sum_assignment(scores, maximize=True)
        assert total(scores, match_best(scores)) == pytest.approx(scores[rows, columns].sum())


def test_ties_and_equal_rows():
    assert len(match_best(np.ones((4, 6)))) == 4
    assert len(match_best(np.ones((6, 4)))) == 4


def test_greedy_would_lose():
    # The highest pair, 0.9, would leave 0.1 to the other row: 1.0 in all, not 1.6.
    pairs = match_best(np.array([[0.9, 0.8], [0.8, 0.1]]))
    assert pairs.tolist() == [[0, 1], [1, 0]]


def test_what_does_not_count_is_not_matched():
    assert match_best(np.zeros((3, 2))).shape == (0, 2)
    assert match_best(np.zeros((0, 5))).shape == (0, 2)
    assert match_best(np.array([[np.nan, -1.0], [0.5, np.nan]])).tolist() == [[1, 0]]
    with pytest.raises(ValueError, match=r"must be finite and of shape \(N, M\), got \(1, 1\)"):
        match_best(np.array([[np.inf]]))
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        match_best(np.zeros(3))
