"""λmax on quadratics, whose rate of divergence is known: 2 / c for gradient descent, 2 (1 + m) / c with momentum m."""

import math

import numpy as np
import pytest

from efficientpose.engine.divergence import LossWatch, read_range, round_down, window_for

CURVATURE = 4.0


def ramp(lowest, highest, num_steps):
    return list(np.geomspace(lowest, highest, num_steps))


def watch_losses(losses, *, window=5, factor=2.0):
    watch = LossWatch(window=window, divergence_factor=factor)
    for loss in losses:
        watch.add(loss)
        if watch.diverged:
            break
    return watch


def descend(rates, *, momentum=0.0):
    """Losses c x² / 2 of gradient descent, each taken before its step."""
    rates = [float(rate) for rate in rates]  # Python's numbers grow to infinity without a warning
    position, velocity, losses = 1.0, 0.0, []
    for rate in rates:
        losses.append(CURVATURE * position * position / 2)
        velocity = momentum * velocity + CURVATURE * position
        position -= rate * velocity
    return losses


def find_max_rate(rates, losses):
    watch = watch_losses(losses)
    return read_range(rates[: len(watch.losses)], watch)


def test_the_smoothed_loss_is_a_weighted_geometric_mean():
    losses = [3.0, 1.0, 0.5, 2.0, 8.0]
    watch = LossWatch(window=4, divergence_factor=100.0)
    for number, loss in enumerate(losses, start=1):
        watch.add(loss)
        weights = [0.75 ** (number - 1 - index) for index in range(number)]
        mean = sum(w * math.log(x) for w, x in zip(weights, losses, strict=False)) / sum(weights)
        assert watch.smoothed[-1] == pytest.approx(math.exp(mean), rel=1e-12)


def test_a_loss_has_diverged_at_the_factor_over_its_lowest():
    """With a window of 1 the loss is not smoothed; only the first step is left out."""
    watch = LossWatch(window=1, divergence_factor=2.0)
    states = []
    for loss in (0.1, 1.0, 0.5, 0.99, 1.0):
        watch.add(loss)
        states.append(watch.diverged)
    assert states == [False, False, False, False, True]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_has_diverged(loss):
    watch = LossWatch(window=5, divergence_factor=2.0)
    assert not watch.diverged
    watch.add(loss)
    assert watch.diverged
    assert watch.smoothed == [math.inf]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_max_rate_is_the_quadratic_s(momentum):
    """Within the four steps by which a window of 5 may be off."""
    rates = ramp(0.002, 20.0, 200)
    limit = 2 * (1 + momentum) / CURVATURE
    curve = find_max_rate(rates, descend(rates, momentum=momentum))
    growth = rates[1] / rates[0]
    assert limit / growth**4 < curve.max_rate < limit * growth**4
    assert curve.diverged
    assert limit < curve.rates[-1] < limit * growth**25


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_max_rate_with_many_curvatures_and_noise_is_that_of_the_largest(momentum):
    rng = np.random.default_rng(0)
    curvatures = np.geomspace(0.01, CURVATURE, 64)
    rates, losses = ramp(0.002, 20.0, 200), []
    positions, velocities = np.ones(64), np.zeros(64)
    for rate in rates[:190]:
        errors = positions - 0.01 * rng.normal(size=64)
        losses.append(float(curvatures @ errors**2 / 2))
        velocities = momentum * velocities + curvatures * errors
        positions = positions - rate * velocities
    curve = find_max_rate(rates, losses)
    limit = 2 * (1 + momentum) / CURVATURE
    assert 0.9 * limit < curve.max_rate < 1.2 * limit
    assert limit < curve.rates[-1] < 1.7 * limit


def test_a_second_valley_after_the_first_rise_is_not_taken():
    """The first rise, from step 40 to 60, has reached a fifth at step 48; the second valley is at step 90."""
    rates = ramp(1e-4, 1.0, 120)
    losses = [*np.linspace(3, 1, 40), *np.linspace(1, 1.5, 20), *np.linspace(1.5, 0.9, 30), *np.linspace(0.9, 9, 30)]
    curve = find_max_rate(rates, losses)
    assert rates[44] <= curve.max_rate <= rates[54]
    assert curve.rates[-1] > rates[80]


def test_a_loss_that_never_rises_asks_for_higher_rates():
    with pytest.raises(ValueError, match=r"up to a rate of 0\.4: .*raise the highest rate"):
        find_max_rate(ramp(0.002, 0.4, 100), descend(ramp(0.002, 0.4, 100)))


@pytest.mark.parametrize("lowest", [0.6, 1e20])
def test_a_loss_that_rises_from_the_start_asks_for_lower_rates(lowest):
    """The second is infinite before the average has settled."""
    rates = ramp(lowest, 1e3 * lowest, 100)
    with pytest.raises(ValueError, match="lower the lowest rate"):
        find_max_rate(rates, descend(rates))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="divergence factor above 1"):
        LossWatch(window=5, divergence_factor=1.0)
    with pytest.raises(ValueError, match=r"step 0 has a loss of -1\.0"):
        LossWatch(window=5, divergence_factor=2.0).add(-1.0)


def test_the_window_grows_with_the_run():
    assert [window_for(steps) for steps in (20, 166, 200, 1000)] == [5, 5, 6, 30]


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.3599, 0.35), (0.36, 0.36), (12.9, 12.0), (9.99e-5, 9.9e-5), (1.0, 1.0), (0.29, 0.29)]
)
def test_rates_are_rounded_down(rate, expected):
    assert round_down(rate) == expected
