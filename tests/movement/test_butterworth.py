"""The zero-lag Butterworth filter against its formula, its phase, and Winter's recursion."""

import math

import numpy as np
import pytest

from efficientpose.movement.butterworth import butterworth

NAN = np.nan


def gain(frequency, *, cutoff, rate, order):
    """What both passes leave of a sine, from the analogue prototype and the bilinear transform."""
    power = order  # 2n with n = order / 2 a pass
    correction = (math.sqrt(2) - 1) ** (1 / power)
    ratio = correction * math.tan(math.pi * frequency / rate) / math.tan(math.pi * cutoff / rate)
    return 1 / (1 + ratio**power)


def component(signal, seconds, frequency):
    """Complex amplitude of a sine: real where it is in phase with sin, its imaginary part what is shifted."""
    return 2j * np.mean(signal * np.exp(-2j * np.pi * frequency * seconds))


@pytest.mark.parametrize(("cutoff", "rate", "order"), [(6, 50, 4), (6, 100, 4), (10, 50, 2), (4, 30, 8)])
@pytest.mark.parametrize("frequency", [0.5, 2, 4, 6, 8, 12])
def test_attenuation_and_phase(cutoff, rate, order, frequency):
    seconds = np.arange(20 * rate) / rate
    smooth = butterworth(np.sin(2 * np.pi * frequency * seconds), seconds, cutoff=cutoff, order=order).values
    middle = slice(5 * rate, 15 * rate)  # whole periods, far from the ends
    measured = component(smooth[middle], seconds[middle], frequency)
    assert measured.real == pytest.approx(gain(frequency, cutoff=cutoff, rate=rate, order=order), abs=1e-6)
    assert abs(measured.imag) < 1e-6


def test_the_cut_off_is_that_of_both_passes_together():
    assert gain(6, cutoff=6, rate=50, order=4) == pytest.approx(math.sqrt(0.5))
    # Winter: 0.802 for two passes of order 2.
    assert (math.sqrt(2) - 1) ** (1 / 4) == pytest.approx(0.802, abs=5e-4)


def test_an_impulse_spreads_evenly_to_both_sides():
    impulse = np.zeros(201)
    impulse[100] = 1
    smooth = butterworth(impulse, np.arange(201) / 50, cutoff=6).values
    np.testing.assert_allclose(smooth, smooth[::-1], atol=1e-12)
    assert smooth.argmax() == 100
    assert smooth.sum() == pytest.approx(1)


def test_as_winters_recursion():
    """Winter's coefficients as a plain loop, once forwards and once backwards."""
    rate, cutoff = 60, 6
    omega = math.tan(math.pi * cutoff / rate) / (math.sqrt(2) - 1) ** 0.25
    a0 = omega**2 / (1 + math.sqrt(2) * omega + omega**2)
    b1 = 2 * a0 * (1 / omega**2 - 1)
    b2 = 1 - (4 * a0 + b1)

    def one_pass(x):
        y = list(x[:2])
        for i in range(2, len(x)):
            y.append(a0 * (x[i] + 2 * x[i - 1] + x[i - 2]) + b1 * y[i - 1] + b2 * y[i - 2])
        return np.array(y)

    signal = np.random.default_rng(0).normal(size=600)
    expected = one_pass(one_pass(signal)[::-1])[::-1]
    smooth = butterworth(signal, np.arange(600) / rate, cutoff=cutoff).values
    np.testing.assert_allclose(smooth[150:-150], expected[150:-150], atol=1e-9)


def test_lines_pass_unchanged_up_to_their_ends():
    seconds = np.arange(40) / 25
    np.testing.assert_allclose(butterworth(3 + 7 * seconds, seconds, cutoff=4).values, 3 + 7 * seconds, atol=1e-9)


def test_gaps_split_and_short_stretches_stay():
    random = np.random.default_rng(1)
    signal = random.normal(size=80)
    signal[[0, 30]] = NAN
    signal[36:40] = NAN  # 31 to 35 are five frames: too short
    seconds = np.arange(80) / 25
    smoothed = butterworth(signal, seconds, cutoff=6)
    np.testing.assert_array_equal(np.isnan(smoothed.values), np.isnan(signal))
    for part in (slice(1, 30), slice(40, 80)):
        alone = butterworth(signal[part], seconds[part], cutoff=6).values
        np.testing.assert_allclose(smoothed.values[part], alone, atol=1e-12)
        assert not np.allclose(alone, signal[part], atol=0.1)
    np.testing.assert_array_equal(smoothed.values[31:36], signal[31:36])
    assert np.flatnonzero(smoothed.is_unsmoothed).tolist() == [31, 32, 33, 34, 35]


def test_the_shortest_stretch_is_ten_frames_or_a_period():
    for num_frames, cutoff, is_unsmoothed in ((9, 6, True), (10, 6, False), (25, 1, True), (26, 1, False)):
        smoothed = butterworth(np.zeros(num_frames), np.arange(num_frames) / 25, cutoff=cutoff)
        assert smoothed.is_unsmoothed.all() == is_unsmoothed
        assert smoothed.is_unsmoothed.any() == is_unsmoothed


def test_uneven_times_are_resampled():
    """Jittered and lost frames: the sine comes out with the theory's amplitude, at its own times."""
    random = np.random.default_rng(2)
    seconds = np.arange(1500) / 50 + random.uniform(-0.004, 0.004, 1500)
    seconds = np.delete(seconds, random.choice(np.arange(1, 1499), 60, replace=False))
    signal = np.sin(2 * np.pi * 3 * seconds)
    smoothed = butterworth(signal, seconds, cutoff=6)
    expected = gain(3, cutoff=6, rate=50, order=4) * signal
    middle = slice(100, -100)
    # The band of cubic interpolation between 50 samples a second of a 3 Hz sine.
    np.testing.assert_allclose(smoothed.values[middle], expected[middle], atol=0.01)
    assert not smoothed.is_unsmoothed.any()


def test_times_rounded_to_milliseconds_are_even():
    seconds = np.arange(600) / 60
    signal = np.random.default_rng(3).normal(size=600)
    rounded = butterworth(signal, np.round(seconds, 3), cutoff=6)
    np.testing.assert_allclose(rounded.values, butterworth(signal, seconds, cutoff=6).values, atol=2e-3)


def test_a_jump_in_time_splits():
    seconds = np.r_[np.arange(30), np.arange(30) + 60] / 30
    signal = np.r_[np.zeros(30), np.ones(30)]
    np.testing.assert_allclose(butterworth(signal, seconds, cutoff=5).values, signal, atol=1e-9)


def test_hardly_any_frames_and_nothing_there():
    assert butterworth(np.zeros((0, 16, 2)), np.zeros(0), cutoff=6).values.shape == (0, 16, 2)
    single = butterworth(np.array([[4.0, NAN]]), np.zeros(1), cutoff=6)
    np.testing.assert_array_equal(single.values, [[4.0, NAN]])
    assert single.is_unsmoothed.tolist() == [[True, False]]
    missing = butterworth(np.full((50, 2), NAN), np.arange(50) / 25, cutoff=6)
    assert np.isnan(missing.values).all()
    assert not missing.is_unsmoothed.any()


def test_unusable_settings():
    signal, seconds = np.zeros(30), np.arange(30) / 10
    with pytest.raises(ValueError, match="cutoff 6 Hz must lie below 5 Hz, half of the 10 frames a second"):
        butterworth(signal, seconds, cutoff=6)
    with pytest.raises(ValueError, match="cutoff must be above 0 Hz, got 0"):
        butterworth(signal, seconds, cutoff=0)
    for order in (0, 3):
        with pytest.raises(ValueError, match=f"order must be even and 2 or more.*got {order}"):
            butterworth(signal, seconds, cutoff=2, order=order)


def test_steps_of_one_and_three_frames_in_turn():
    """Their median lies between the two, where there is no step."""
    seconds = np.cumsum([0] + [1, 3] * 20) / 32
    smoothed = butterworth(np.full((41, 1), 5.0), seconds, cutoff=6)
    np.testing.assert_allclose(smoothed.values, 5)
    assert not smoothed.is_unsmoothed.any()
