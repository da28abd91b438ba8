"""The range test through MMEngine's Runner: on a quadratic, where gradient descent diverges above 2 / c, and on RT."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, MODELS
from torch.utils.data import Dataset

from efficientpose.core.shipped_files import config_path
from efficientpose.engine.cyclical_rate import decaying_triangular_rate
from efficientpose.engine.rate_range import (
    FirstCycle,
    Ramp,
    confirm_max_rate,
    find_first_cycle,
    run_range_test,
    survives_first_rise,
)

CURVATURE = 4.0
LIMIT = 2 / CURVATURE


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
