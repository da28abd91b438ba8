"""λmax on quadratics, whose rate of divergence is known: 2 / c for gradient descent, 2 (1 + m) / c with momentum m.

First on losses computed here, then through MMEngine's Runner, and on RT.
"""

import json
import math

import cv2
import numpy as np
import pytest
import torch
from lr_range_test import (
    FirstCycle,
    LossWatch,
    Ramp,
    RangeCurve,
    confirm_max_rate,
    draw_rate_range,
    find_first_cycle,
    read_range,
    round_down,
    run_range_test,
    survives_first_rise,
    window_for,
)
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, MODELS
from torch.utils.data import Dataset

from efficientpose.core.shipped_files import config_path
from efficientpose.engine.cyclical_rate import decaying_triangular_rate

CURVATURE = 4.0
LIMIT = 2 / CURVATURE


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


def test_a_negative_loss_is_refused():
    with pytest.raises(ValueError, match=r"step 0 has a loss of -1\.0"):
        LossWatch(window=5, divergence_factor=2.0).add(-1.0)


def test_the_window_grows_with_the_run():
    assert [window_for(steps) for steps in (20, 166, 200, 1000)] == [5, 5, 6, 30]


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.3599, 0.35), (0.36, 0.36), (12.9, 12.0), (9.99e-5, 9.9e-5), (1.0, 1.0), (0.29, 0.29)]
)
def test_rates_are_rounded_down(rate, expected):
    assert round_down(rate) == expected


@DATASETS.register_module()
class TwelveNothings(Dataset):
    """Twelve samples that nothing is read from."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return dict(inputs=torch.zeros(1))


@MODELS.register_module()
class Quadratic(BaseModel):
    """A loss of c x² / 2."""

    def __init__(self):
        super().__init__()
        self.position = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, inputs, mode="loss"):
        return dict(loss=CURVATURE * (self.position**2).sum() / 2)


@HOOKS.register_module()
class RecordSteps(Hook):
    """Note what each training step finds."""

    steps = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        network = runner.model
        sigma = network.head.decoder.sigma if hasattr(network, "head") else None
        self.steps.append((runner.optim_wrapper.get_lr()["lr"][0], sigma))


@HOOKS.register_module()
class GuardAgainstLargeLosses(Hook):
    """Stop a training as a guard against numbers that are not finite does."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.model.position.abs() > 1.5:
            raise FloatingPointError("the loss will be large")


@pytest.fixture
def recorded():
    RecordSteps.steps.clear()
    return RecordSteps.steps


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A training on the quadratic, in batches of 2: 6 steps an epoch."""
    monkeypatch.chdir(tmp_path)
    return Config(
        dict(
            model=dict(type="Quadratic"),
            train_dataloader=dict(
                batch_size=2, num_workers=0, sampler=dict(type="DefaultSampler"), dataset=dict(type="TwelveNothings")
            ),
            train_cfg=dict(by_epoch=True, max_epochs=100, val_interval=1),
            val_dataloader=dict(dataset="never built"),
            val_cfg={},
            val_evaluator=dict(type="NeverBuilt"),
            optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=123.0)),
            param_scheduler=[
                dict(type="DecayingTriangularLR", cycle=4, rate_range=500.0, by_epoch=True, convert_to_iter_based=True)
            ],
            default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1, by_epoch=False)),
            custom_hooks=[dict(type="RecordSteps")],
            default_scope="mmengine",
        )
    )


def test_max_rate_is_the_quadratic_s_and_nothing_is_left_behind(config, recorded, tmp_path):
    before = config.to_dict()
    ramp = Ramp(lowest=0.01, highest=100.0, num_steps=150)
    seen = []
    curve = run_range_test(config, ramp, on_step=lambda step, loss: seen.append((step, loss)))
    assert LIMIT / ramp.growth**4 < curve.max_rate < LIMIT * ramp.growth**4
    assert curve.diverged
    assert [rate for rate, _ in recorded] == pytest.approx(curve.rates, rel=1e-9)
    assert curve.rates[:2] == pytest.approx([0.01, 0.01 * 1e4 ** (1 / 149)])
    assert seen == list(enumerate(curve.losses))
    assert curve.losses[:2] == pytest.approx([CURVATURE / 2, CURVATURE / 2 * (1 - 0.01 * CURVATURE) ** 2])
    assert config.to_dict() == before
    assert list(tmp_path.iterdir()) == []


def test_a_guard_s_stop_counts_as_divergence(config):
    config.custom_hooks.append(dict(type="GuardAgainstLargeLosses"))
    with pytest.raises(ValueError, match="lower the lowest rate"):
        run_range_test(config, Ramp(lowest=3.0, highest=100.0, num_steps=150))


def test_the_first_rise_is_a_cycle_s_first_half(config, recorded):
    first_cycle = FirstCycle(num_steps=40, rate_range=500.0)
    assert survives_first_rise(config, first_cycle, max_rate=0.4, divergence_factor=2.0)
    cycle = dict(num_steps=80, cycle_steps=80, max_rate=0.4, limit=0.1, rate_range=500.0)
    expected = [decaying_triangular_rate(step, **cycle) for step in range(41)]
    assert (expected[0], expected[-1]) == pytest.approx((0.4 / 500, 0.4))
    assert [rate for rate, _ in recorded] == pytest.approx(expected, rel=1e-9)


def test_max_rate_is_halved_until_the_first_rise_does_not_diverge(config):
    tried = []
    rate = confirm_max_rate(
        config,
        FirstCycle(num_steps=40, rate_range=500.0),
        max_rate=8 * LIMIT,
        divergence_factor=2.0,
        on_try=lambda rate, survived: tried.append((rate, survived)),
    )
    assert tried == [(8 * LIMIT, False), (4 * LIMIT, False), (2 * LIMIT, False), (LIMIT, True)]
    assert rate == LIMIT


def test_a_loss_that_diverges_at_every_rate_is_another_matter(config):
    with pytest.raises(ValueError, match="diverges at every rate from 1e"):
        confirm_max_rate(config, FirstCycle(num_steps=20, rate_range=2.0), max_rate=1e9, divergence_factor=2.0)


def test_the_first_cycle_is_the_config_s(config):
    """Cycles of 4 epochs of 6 steps: 12 steps up."""
    assert find_first_cycle(config) == FirstCycle(num_steps=12, rate_range=500.0)
    config.param_scheduler = [dict(type="DecayingTriangularLR", cycle=50, by_epoch=False)]
    assert find_first_cycle(config) == FirstCycle(num_steps=25, rate_range=3000.0)
    config.param_scheduler = dict(type="CosineAnnealingLR", T_max=10)
    assert find_first_cycle(config) == FirstCycle(num_steps=9, rate_range=3000.0)


def test_what_cannot_be_tested_is_refused(config):
    with pytest.raises(ValueError, match=r"must rise from above 0, got 1 to 0\.1"):
        Ramp(lowest=1, highest=0.1, num_steps=50)
    with pytest.raises(ValueError, match="19 steps are too few"):
        Ramp(num_steps=19)
    with pytest.raises(ValueError, match="factor must be above 1, got 1"):
        Ramp(num_steps=50, divergence_factor=1)
    config.train_cfg.max_epochs = 3
    with pytest.raises(ValueError, match="trains for 18 steps, fewer than the test's 30"):
        run_range_test(config, Ramp(lowest=1e-5, highest=1e-4, num_steps=30))
    del config.optim_wrapper["optimizer"]
    with pytest.raises(ValueError, match="optim_wrapper has no optimizer"):
        run_range_test(config, Ramp(num_steps=30))


def write_mpii(root):
    """One person, twice, in a picture of noise."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    cv2.imwrite(str(root / "images" / "1.jpg"), rng.integers(0, 256, (90, 120, 3), np.uint8))
    joints = rng.uniform(10, 80, (16, 2)).tolist()
    person = dict(image="1.jpg", joints=joints, joints_vis=[1] * 16, center=[60.0, 45.0], scale=0.4)
    (root / "annotations" / "mpii_train.json").write_text(json.dumps([person, person]))


def test_rt_on_a_tiny_mpii(recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mpii(tmp_path / "data")
    path = config_path("efficientpose_rt_mpii.py")
    text = path.read_bytes()
    config = Config.fromfile(path)
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    config.train_dataloader.dataset.data_root = f"{tmp_path}/data/"
    for step in config.train_dataloader.dataset.pipeline:
        if step.type.endswith("Affine"):
            step.input_size = (48, 48)
    config.model.head.decoder.input_size = (48, 48)
    config.model.backbone.high_pretrained = None  # it would be fetched
    config.optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=1e-3, momentum=0.9))
    config.default_hooks.sigma = dict(type="ShrinkingSigmaHook", sigma_start=0.3, sigma_end=0.05, num_levels=4)
    config.custom_hooks = [dict(type="RecordSteps")]
    curve = run_range_test(config, Ramp(lowest=1e-3, highest=1e4, num_steps=40))
    assert curve.diverged
    assert 1e-3 < curve.max_rate < curve.rates[-1] <= 1e4
    assert {sigma for _, sigma in recorded} == {0.3}
    assert path.read_bytes() == text
    assert [each.name for each in tmp_path.iterdir()] == ["data"]
    assert sorted(each.suffix for each in (tmp_path / "data").rglob("*.*")) == [".jpg", ".json"]


def texts(axes):
    return [each.get_text() for each in axes.texts]


def make_curve(**changes):
    settings = dict(
        rates=[0.01, 0.1, 1.0, 10.0],
        losses=[4.0, 2.0, 1.0, float("nan")],
        smoothed=[4.0, 3.0, 2.0, float("inf")],
        max_rate=0.1,
        diverged=True,
        divergence_factor=2.0,
    )
    return RangeCurve(**settings | changes)


def test_the_range_is_drawn_over_the_rate_with_its_marks():
    (axes,) = draw_rate_range(make_curve(), title="RT").axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata().tolist() == [0.01, 0.1, 1.0]
    assert axes.lines[1].get_ydata().tolist() == [4.0, 3.0, 2.0, float("inf")]
    assert [line.get_xdata()[0] for line in axes.lines[2:]] == [0.1, 10.0]
    assert texts(axes) == [r"$\lambda_{max}$ = 0.1", "diverged at 10"]
    bottom, top = axes.get_ylim()
    assert bottom < 2 < 4 < top < 5
    assert texts(draw_rate_range(make_curve(diverged=False), title="").axes[0]) == [r"$\lambda_{max}$ = 0.1"]
