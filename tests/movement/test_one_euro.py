"""The One-Euro filter against a transcription of the paper and against theory."""

import math

import numpy as np
import pytest

from efficientpose.movement.one_euro import OneEuroFilter, one_euro


def transcription(samples, seconds, min_cutoff, beta, derivative_cutoff):
    """Algorithm 1 of Casiez et al. (2012) for one number at a time, with the rate from the time stamps."""

    def alpha(cutoff, period):
        tau = 1.0 / (2 * math.pi * cutoff)
        return 1.0 / (1.0 + tau / period)

    filtered, speed = [samples[0]], 0.0
    for number in range(1, len(samples)):
        period = seconds[number] - seconds[number - 1]
        difference = (samples[number] - filtered[-1]) / period
        share = alpha(derivative_cutoff, period)
        speed = share * difference + (1 - share) * speed
        share = alpha(min_cutoff + beta * abs(speed), period)
        filtered.append(share * samples[number] + (1 - share) * filtered[-1])
    return filtered


@pytest.mark.parametrize(("min_cutoff", "beta", "derivative_cutoff"), [(1, 0, 1), (1, 0.007, 1), (0.4, 0.3, 2)])
def test_as_the_paper_has_it_at_uneven_times(min_cutoff, beta, derivative_cutoff):
    random = np.random.default_rng(0)
    seconds = np.cumsum(random.uniform(0.005, 0.1, 200))
    samples = 200 * np.sin(5 * seconds) + random.normal(0, 4, 200)
    settings = {"min_cutoff": min_cutoff, "beta": beta, "derivative_cutoff": derivative_cutoff}
    np.testing.assert_allclose(
        one_euro(samples, seconds, **settings), transcription(samples, seconds, **settings), rtol=1e-12
    )


def test_without_beta_it_is_a_first_order_low_pass():
    """A step decays as (1 − α)ⁿ, α = 1 / (1 + 1 / (2π f T)): for f = 2 Hz at 50 a second 0.20085."""
    share = 1 / (1 + 50 / (2 * math.pi * 2))
    assert share == pytest.approx(0.20085, abs=1e-5)
    step = np.r_[0.0, np.ones(20)]
    filtered = one_euro(step, np.arange(21) / 50, min_cutoff=2, beta=0)
    np.testing.assert_allclose(filtered, 1 - (1 - share) ** np.arange(21), atol=1e-12)


def test_gain_and_phase_without_beta():
    """H(z) = α / (1 − (1 − α) / z) at z = exp(2πi f T)."""
    rate, frequency, share = 100, 3.0, 1 / (1 + 100 / (2 * math.pi * 1.5))
    seconds = np.arange(3000) / rate
    filtered = one_euro(np.sin(2 * np.pi * frequency * seconds), seconds, min_cutoff=1.5, beta=0)
    whole = slice(1000, 3000)  # 60 periods
    measured = 2 * np.mean(filtered[whole] * np.exp(-2j * np.pi * frequency * seconds[whole]) * 1j)
    expected = share / (1 - (1 - share) * np.exp(-2j * np.pi * frequency / rate))
    assert measured == pytest.approx(expected, abs=1e-6)
    assert np.angle(measured) < -0.5  # it lags


def test_beta_lessens_the_lag_in_fast_movement():
    seconds = np.arange(100) / 30
    ramp = 500 * seconds
    lag = {beta: (ramp - one_euro(ramp, seconds, beta=beta))[-1] / 500 for beta in (0, 0.007)}
    assert lag[0] == pytest.approx(1 / (2 * np.pi), rel=0.01)  # of a ramp: 1 / (2π min_cutoff) seconds
    assert lag[0.007] < 0.3 * lag[0]


def test_live_is_the_same_as_over_a_whole_recording():
    random = np.random.default_rng(2)
    samples, seconds = random.normal(0, 10, (40, 16, 2)), np.cumsum(random.uniform(0.01, 0.1, 40))
    live = OneEuroFilter(beta=0.02)
    one_by_one = [live(sample, seconds=second) for sample, second in zip(samples, seconds, strict=True)]
    np.testing.assert_array_equal(one_by_one, one_euro(samples, seconds, beta=0.02))
    live.reset()
    np.testing.assert_array_equal(live(samples[0], seconds=0.0), samples[0])


def test_a_missing_sample_is_as_if_there_had_been_none():
    random = np.random.default_rng(3)
    samples, seconds = random.normal(0, 10, (30, 3)), np.arange(30) / 25
    samples[[0, 1, 7, 8, 20], 1] = np.nan
    samples[:, 2] = np.nan
    filtered = one_euro(samples, seconds, beta=0.1)
    there = np.isfinite(samples[:, 1])
    np.testing.assert_allclose(filtered[there, 1], one_euro(samples[there, 1], seconds[there], beta=0.1), rtol=1e-12)
    np.testing.assert_allclose(filtered[:, 0], one_euro(samples[:, 0], seconds, beta=0.1), rtol=1e-12)
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(samples))


def test_hardly_any_frames():
    assert one_euro(np.zeros((0, 16, 2)), np.zeros(0)).shape == (0, 16, 2)
    assert one_euro(np.array([5.0]), np.zeros(1)).tolist() == [5.0]


def test_unusable_input():
    live = OneEuroFilter()
    live(np.zeros(3), seconds=1.0)
    with pytest.raises(ValueError, match=r"in order of time: 1.0 s after 1.0 s"):
        live(np.zeros(3), seconds=1.0)
    with pytest.raises(ValueError, match=r"keep their shape: \(4,\) after \(3,\)"):
        live(np.zeros(4), seconds=2.0)
    with pytest.raises(ValueError, match=r"above 0 Hz and beta 0 or more, got 0, 1\.0 and 0\.007"):
        OneEuroFilter(min_cutoff=0)
    with pytest.raises(ValueError, match=r"above 0 Hz and beta 0 or more, got 1\.0, -1 and 0\.007"):
        OneEuroFilter(derivative_cutoff=-1)
    with pytest.raises(ValueError, match=r"beta 0 or more, got 1\.0, 1\.0 and -0\.1"):
        OneEuroFilter(beta=-0.1)
