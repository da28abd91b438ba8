"""Both schedules at every place that can be worked out by hand."""

import math

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

from efficientpose.engine import DecayingTriangularLR, ShrinkingSigmaHook
from efficientpose.engine.schedules import decaying_triangular_rate, limit_rate, stepwise_sigma

MAX_RATE = 0.3
MIN_RATE = 0.3 / 3000


def test_the_limit_is_eq_5() -> None:
    expected = 10 ** ((math.log10(MAX_RATE) + math.log10(MIN_RATE)) / 2) * 2 ** (0.2 - 0.05)
    assert limit_rate(MAX_RATE, sigma_start=0.2, sigma_end=0.05) == pytest.approx(expected)


def rate(step: int) -> float:
    """Four cycles of ten steps."""
    return decaying_triangular_rate(step, num_steps=40, cycle_steps=10, max_rate=MAX_RATE, limit=0.01)


def test_the_first_cycle_spans_the_whole_range() -> None:
    assert rate(0) == pytest.approx(MIN_RATE)
    assert rate(5) == pytest.approx(MAX_RATE)
    assert rate(1) == pytest.approx(MIN_RATE + (MAX_RATE - MIN_RATE) / 5)
    assert rate(9) == pytest.approx(rate(1))


@pytest.mark.parametrize(("cycle", "share"), [(1, 0.75), (2, 0.5), (3, 0.25)])
def test_later_cycles_shrink_towards_the_limit(cycle: int, share: float) -> None:
    assert rate(10 * cycle) == pytest.approx(0.01 * (1 - share) + MIN_RATE * share)
    assert rate(10 * cycle + 5) == pytest.approx(0.01 * (1 - share) + MAX_RATE * share)
    assert rate(10 * cycle + 7) == pytest.approx(0.01 * (1 - share) + (MIN_RATE + 0.6 * (MAX_RATE - MIN_RATE)) * share)


def test_behind_the_end_the_rate_is_the_limit() -> None:
    assert rate(40) == rate(1000) == 0.01


def test_sigma_takes_equal_steps_for_equal_shares_of_the_epochs() -> None:
    sigmas = [
        stepwise_sigma(epoch, num_epochs=10, num_levels=4, sigma_start=0.2, sigma_end=0.05) for epoch in range(12)
    ]
    assert sigmas == pytest.approx([0.2] * 3 + [0.15] * 2 + [0.1] * 3 + [0.05] * 4)
    assert stepwise_sigma(0, num_epochs=10, num_levels=1, sigma_start=0.2, sigma_end=0.05) == 0.05


def build_scheduler(optimizer: torch.optim.Optimizer) -> DecayingTriangularLR:
    return PARAM_SCHEDULERS.build(
        dict(
            type="DecayingTriangularLR",
            optimizer=optimizer,
            cycle=3,
            end=12,
            sigma_start=0.2,
            convert_to_iter_based=True,
            epoch_length=4,
        )
    )


def test_the_scheduler_follows_the_closed_form_and_resumes_exactly() -> None:
    limit = limit_rate(MAX_RATE, sigma_start=0.2, sigma_end=0.05)
    expected = [
        decaying_triangular_rate(step, num_steps=48, cycle_steps=12, max_rate=MAX_RATE, limit=limit)
        for step in range(48)
    ]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=MAX_RATE)
    scheduler = build_scheduler(optimizer)
    rates = []
    for step in range(48):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
        if step == 17:
            saved_optimizer, saved_scheduler = optimizer.state_dict(), scheduler.state_dict()
    assert rates == pytest.approx(expected, rel=1e-12)

    resumed_optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=MAX_RATE)
    resumed = build_scheduler(resumed_optimizer)
    resumed_optimizer.load_state_dict(saved_optimizer)
    resumed.load_state_dict(saved_scheduler)
    resumed_rates = []
    for _ in range(18, 48):
        resumed_rates.append(resumed_optimizer.param_groups[0]["lr"])
        resumed_optimizer.step()
        resumed.step()
    assert resumed_rates == rates[18:]


def test_bad_settings_are_refused() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=MAX_RATE)
    with pytest.raises(ValueError, match="set end to its length"):
        DecayingTriangularLR(optimizer)
    with pytest.raises(ValueError, match="cycle must be at least 2"):
        DecayingTriangularLR(optimizer, end=10, cycle=1)
    with pytest.raises(ValueError, match="must be positive"):
        ShrinkingSigmaHook(sigma_start=0.0, num_levels=2)
