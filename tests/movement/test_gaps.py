"""Short gaps are filled by the curve asked for, nothing else is touched."""

import numpy as np
import pytest

from efficientpose.movement.gaps import INTERPOLATIONS, fill_gaps

NAN = np.nan


def is_filled(values, filled):
    return np.isfinite(filled) & np.isnan(values)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_line_is_filled_exactly_also_at_uneven_times(interpolation):
    seconds = np.array([0.0, 0.1, 0.15, 0.4, 0.5])
    truth = 3 - 20 * seconds
    values = truth.copy()
    values[[1, 2]] = NAN
    filled = fill_gaps(values, seconds, max_gap=0.4, interpolation=interpolation)
    np.testing.assert_allclose(filled, truth, atol=1e-12)
    assert is_filled(values, filled).tolist() == [False, True, True, False, False]
    assert np.isnan(values).sum() == 2  # the caller's array is untouched


def test_the_limit_is_the_time_between_the_seen_ends():
    seconds = np.arange(8) / 25
    values = np.array([0, NAN, 2, NAN, NAN, 5, 6, 7.0])
    assert is_filled(values, fill_gaps(values, seconds, max_gap=0.08)).tolist() == [False, True] + 6 * [False]
    assert is_filled(values, fill_gaps(values, seconds, max_gap=0.119)).sum() == 1
    assert is_filled(values, fill_gaps(values, seconds, max_gap=0.12)).sum() == 3


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_nothing_is_extrapolated(interpolation):
    values = np.array([NAN, NAN, 1, NAN, 3, NAN])
    filled = fill_gaps(values, np.arange(6.0), max_gap=100, interpolation=interpolation)
    np.testing.assert_allclose(filled, [NAN, NAN, 1, 2, 3, NAN])


def test_curves_by_hand():
    """x² through 0, 1, 4, _, 16: the spline is exact; PCHIP's slopes by its three-point and harmonic-mean rules."""
    seconds = np.arange(5.0)
    values = np.array([0, 1, 4, NAN, 16.0])
    by = {name: fill_gaps(values, seconds, max_gap=2, interpolation=name)[3] for name in INTERPOLATIONS}
    assert by["linear"] == pytest.approx(10)
    assert by["cubic"] == pytest.approx(9)
    # Slopes before and after t = 2 are 3 and 6 over steps of 1 and 2: weights 2·2 + 1 and 2 + 2·1, harmonic mean.
    inner = (5 + 4) / (5 / 3 + 4 / 6)
    end = ((2 * 2 + 1) * 6 - 2 * 3) / (1 + 2)
    assert by["pchip"] == pytest.approx((4 + 16) / 2 + 2 * (inner - end) / 8)


def test_pchip_does_not_overshoot_where_a_spline_does():
    values = np.array([0, 0, 0, NAN, 10, 10, 10])
    seconds = np.arange(7.0)
    values = np.array([0, 0, NAN, 0, 10, NAN, 10, 10])
    seconds = np.arange(8.0)
    by = {name: fill_gaps(values, seconds, max_gap=2, interpolation=name) for name in ("pchip", "cubic")}
    assert by["pchip"][[2, 5]].tolist() == [0, 10]
    assert by["cubic"][2] < -0.5
    assert by["cubic"][5] > 10.5


def test_what_lies_across_a_long_gap_does_not_matter():
    seconds = np.arange(12.0)
    values = np.array([0, 1, NAN, 9, NAN, NAN, NAN, NAN, 5, 4, 3, 2])
    alone = fill_gaps(values[:4], seconds[:4], max_gap=2, interpolation="cubic")
    together = fill_gaps(values, seconds, max_gap=2, interpolation="cubic")
    np.testing.assert_array_equal(together[:4], alone)
    assert np.isnan(together[4:8]).all()


def test_series_are_filled_on_their_own():
    values = np.zeros((3, 2, 2))
    values[1, 0] = NAN
    values[:, 1] = NAN
    filled = fill_gaps(values, np.arange(3.0), max_gap=2)
    assert is_filled(values, filled)[1, 0].all()
    assert is_filled(values, filled).sum() == 2
    assert np.isnan(filled[:, 1]).all()


@pytest.mark.parametrize("num_frames", [0, 1])
def test_hardly_any_frames(num_frames):
    values = np.full((num_frames, 16, 2), 3.0)
    filled = fill_gaps(values, np.arange(num_frames, dtype=float), max_gap=1)
    np.testing.assert_array_equal(filled, values)
    assert not is_filled(values, filled).any()


def test_unusable_settings():
    with pytest.raises(ValueError, match="max_gap must be above 0 seconds, got 0"):
        fill_gaps(np.zeros(3), np.arange(3.0), max_gap=0)
    with pytest.raises(ValueError, match="no interpolation 'spline': there are linear, pchip, cubic"):
        fill_gaps(np.zeros(3), np.arange(3.0), max_gap=1, interpolation="spline")
