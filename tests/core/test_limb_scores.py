"""Line integrals along part affinity fields, by hand and by a plain loop."""

import numpy as np
import pytest

from efficientpose.core.grouping import LimbRule, sample_field, score_limbs


def test_between_cells_by_hand():
    field = np.array([[[0.0, 8.0], [16.0, 24.0]]])
    # Cell 0 is centred on pixel 3.5, cell 1 on 11.5: pixel 5.5 is a quarter of the way.
    points = np.array([[3.5, 3.5], [11.5, 3.5], [5.5, 3.5], [5.5, 7.5], [-20.0, 3.5], [99.0, 99.0]])
    np.testing.assert_allclose(sample_field(field, points, stride=8)[0], [0, 8, 2, 10, 0, 24])


def test_a_field_of_one_cell():
    assert sample_field(np.full((2, 1, 1), 3.0), np.array([[0.0, 50.0]]), stride=8).tolist() == [[3.0], [3.0]]


def test_a_uniform_field_gives_the_cosine():
    field = np.zeros((2, 10, 10))
    field[0] = 1
    starts = np.array([[20.0, 20.0]])
    ends = np.array([[50.0, 20.0], [50.0, 50.0], [10.0, 20.0], [20.0, 50.0], [20.0, 20.0]])
    scores = score_limbs(field, starts, ends, stride=8, rule=LimbRule())
    np.testing.assert_allclose(scores, [[1, np.sqrt(0.5), 0, 0, 0]], atol=1e-12)


def test_too_few_supported_points():
    field = np.zeros((2, 4, 20))
    field[0, :, :10] = 1  # to the right in the left half alone
    args = (field, np.array([[3.5, 12.0]]), np.array([[147.5, 12.0]]))
    # Five of ten samples, 10.7 to 68.3, read 1; the next, 82.7, lies 0.1 of a cell before the centre of the first 0.
    assert score_limbs(*args, stride=8, rule=LimbRule(min_supported=0.6))[0, 0] == pytest.approx(0.51)
    assert score_limbs(*args, stride=8, rule=LimbRule(min_supported=0.7))[0, 0] == 0
    assert score_limbs(*args, stride=8, rule=LimbRule(min_supported=0.6, min_agreement=0.2))[0, 0] == 0


def test_equal_to_a_plain_loop():
    rng = np.random.default_rng(0)
    field = rng.normal(0.3, 0.5, (2, 9, 12))
    starts, ends = rng.uniform(0, 90, (5, 2)), rng.uniform(0, 90, (7, 2))
    rule = LimbRule(num_samples=6, min_supported=0.5)
    expected = np.zeros((5, 7))
    for i, start in enumerate(starts):
        for j, end in enumerate(ends):
            unit = (end - start) / np.linalg.norm(end - start)
            values = []
            for step in range(6):
                point = start + (end - start) * (step + 0.5) / 6
                values.append(float(sample_field(field, point[None], stride=8)[:, 0] @ unit))
            if np.mean([value > 0.05 for value in values]) >= 0.5:
                expected[i, j] = max(np.mean(values), 0)
    assert 5 < (expected > 0).sum() < 35
    np.testing.assert_allclose(score_limbs(field, starts, ends, stride=8, rule=rule), expected)


def test_rules_out_of_range():
    with pytest.raises(ValueError, match="num_samples must be 1 or more"):
        LimbRule(num_samples=0)
