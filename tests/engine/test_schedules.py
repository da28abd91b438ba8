"""Both schedules at every place that can be worked out by hand."""

import math

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import PARAM_SCHEDULERS

from efficientpose.core.shipped_files import config_path
from efficientpose.engine import DecayingTriangularLR, ShrinkingSigmaHook
from efficientpose.engine.cyclical_rate import decaying_triangular_rate, limit_rate

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


@pytest.mark.parametrize(
    ("num_epochs", "num_cycles", "highest", "last"),
    [(36, 12, 5.17, 0.92), (100, 34, 1.97, 1.97), (200, 67, 1.75, 1.49)],
)
def test_how_near_to_the_limit_a_run_ends(num_epochs, num_cycles, highest, last) -> None:
    """What the docstring says of the recipe on MPII: 22,246 people in batches of 16, of which an epoch has 1,391."""
    epoch_length, max_rate = 1391, 0.1
    limit = limit_rate(max_rate, sigma_start=0.15, sigma_end=0.05)
    first_step = (num_cycles - 1) * 3 * epoch_length
    settings = dict(num_steps=num_epochs * epoch_length, cycle_steps=3 * epoch_length, max_rate=max_rate, limit=limit)
    rates = [decaying_triangular_rate(step, **settings) for step in range(first_step, num_epochs * epoch_length)]
    assert 0 < len(rates) <= 3 * epoch_length
    assert max(rates) <= limit + (max_rate - limit) / num_cycles
    assert min(rates) >= limit - (limit - max_rate / 3000) / num_cycles
    assert max(rates) / limit == pytest.approx(highest, abs=0.005)
    assert rates[-1] / limit == pytest.approx(last, abs=0.005)


def test_the_last_step_s_rate_worked_out_by_hand() -> None:
    """Cycles of 30 steps, 10 an epoch: the last step is number 29, 9 or 19 of its cycle."""
    limit, min_rate = 0.002, 0.1 / 3000
    for num_epochs, num_cycles, height in ((36, 12, 2 / 30), (100, 34, 18 / 30), (200, 67, 22 / 30)):
        settings = dict(num_steps=10 * num_epochs, cycle_steps=30, max_rate=0.1, limit=limit)
        wave = min_rate + height * (0.1 - min_rate)
        found = decaying_triangular_rate(10 * num_epochs - 1, **settings)
        assert found == pytest.approx(limit + (wave - limit) / num_cycles)


def test_sigma_takes_equal_steps_for_equal_shares_of_the_epochs() -> None:
    hook = ShrinkingSigmaHook(sigma_start=0.2, num_levels=4)
    sigmas = [hook.find_sigma(epoch, num_epochs=10) for epoch in range(12)]
    assert sigmas == pytest.approx([0.2] * 3 + [0.15] * 2 + [0.1] * 3 + [0.05] * 4)
    assert ShrinkingSigmaHook(sigma_start=0.2, num_levels=1).find_sigma(0, num_epochs=10) == 0.05


def build_scheduler(optimizer: torch.optim.Optimizer) -> DecayingTriangularLR:
    return PARAM_SCHEDULERS.build(
        dict(
            type="DecayingTriangularLR",
            optimizer=optimizer,
            cycle=3,
            end=12,
            sigma_start=0.2,
            sigma_end=0.05,
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
    with pytest.raises(ValueError, match=r"sigma_end or neither, got 0\.1 and None"):
        DecayingTriangularLR(optimizer, end=10, sigma_start=0.1)
    with pytest.raises(ValueError, match="must be positive"):
        ShrinkingSigmaHook(sigma_start=0.0, num_levels=2)


class Record(Hook):
    """Keep what each iteration trains with, and stop before the one asked for."""

    def __init__(self, *, stop_before: int | None = None) -> None:
        self.stop_before = stop_before
        self.seen: list[tuple[int, list[float], float]] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.stop_before:
            raise KeyboardInterrupt
        rates = [group["lr"] for group in runner.optim_wrapper.param_groups]
        self.seen.append((runner.iter, rates, runner.model.head.decoder.sigma))


def test_the_recipe_keeps_both_schedules_at_every_step_of_a_run_that_is_stopped_and_resumed(make_runner) -> None:
    """Seven epochs of two steps: two cycles of six steps and a third of one; stopped within the fourth epoch."""
    recipe = Config.fromfile(config_path("efficientpose_rt_mpii.py"))
    changes = {"train_cfg.max_epochs": 7, "default_hooks.sigma": recipe.default_hooks.sigma}
    settings = dict(optim_wrapper=recipe.optim_wrapper, param_scheduler=recipe.param_scheduler)
    seen = []
    for stop_before in (7, None):
        record = Record(stop_before=stop_before)
        runner = make_runner(changes, resume=True, **settings)
        runner.register_hook(record)
        if stop_before is None:
            runner.train()
        else:
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        seen.append(record.seen)
    assert [[step for step, *_ in each] for each in seen] == [list(range(7)), list(range(6, 14))]

    limit = limit_rate(0.1, sigma_start=0.15, sigma_end=0.05)
    sigmas = [0.15] * 6 + [0.1] * 4 + [0.05] * 4
    for step, rates, sigma in seen[0] + seen[1]:
        expected = decaying_triangular_rate(step, num_steps=14, cycle_steps=6, max_rate=0.1, limit=limit)
        assert {round(rate / expected, 9) for rate in rates} == {1, 0.05}  # the prediction layers', by lr_mult
        assert sigma == pytest.approx(sigmas[step])
    assert max(max(rates) for _, rates, _ in seen[0]) == pytest.approx(0.1)
