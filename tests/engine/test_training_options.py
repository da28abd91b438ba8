"""What is one line of the config or the command line: clipping, accumulation, averaged weights, AMP, logs."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner.amp import autocast
from torch.nn.modules.batchnorm import _BatchNorm

SGD = dict(type="SGD", lr=0.5)


class FixedStatistics(Hook):
    """Let batch norms use their running statistics, so that a sample does not depend on its batch."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


class Record(Hook):
    """Keep the weights after each step."""

    def __init__(self):
        self.weights = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.weights.append(weights_of(runner.model))


def weights_of(model):
    return {name: each.detach().clone() for name, each in model.named_parameters()}


def distance(one, other):
    return torch.cat([(one[name] - other[name]).flatten() for name in one]).norm().item()


def train_recording(make_runner, overrides=None, *, hooks=(), **settings):
    record = Record()
    runner = make_runner(overrides, **settings)
    for hook in (*hooks, record):
        runner.register_hook(hook)
    runner.train()
    return runner, record.weights


def test_clipping_limits_a_step(make_runner):
    """One step of SGD without momentum moves the weights by rate × norm, which is clipped to 1e-3."""
    runner, weights = train_recording(
        make_runner,
        {"train_cfg.max_epochs": 1},
        optim_wrapper=dict(type="OptimWrapper", optimizer=SGD, clip_grad=dict(max_norm=1e-3)),
        param_scheduler=None,
    )
    assert runner.message_hub.get_scalar("train/grad_norm").data[0].min() > 1e-2
    assert distance(weights[0], weights[1]) == pytest.approx(0.5 * 1e-3, rel=1e-3)


def test_accumulated_gradients_are_those_of_the_larger_batch(make_runner):
    """Two batches of four and one of eight, the same people, cut alike; batch norms with fixed statistics."""
    ends = []
    for batch_size, counts in ((8, 1), (4, 2), (4, 1)):
        runner, weights = train_recording(
            make_runner,
            {"train_cfg.max_epochs": 1, "train_dataloader.batch_size": batch_size},
            optim_wrapper=dict(type="OptimWrapper", optimizer=SGD, accumulative_counts=counts),
            param_scheduler=None,
            hooks=[FixedStatistics()],
        )
        assert runner.iter == 8 // batch_size
        ends.append((weights[-1], distance(weights[0], weights[-1])))
    (large, _), (accumulated, _), (separate, _) = ends
    size = torch.cat([each.flatten() for each in large.values()]).norm().item()
    assert distance(large, accumulated) < 1e-6 * size
    assert distance(large, separate) > 1e-4 * size


def test_averaged_weights_are_a_switch(make_runner):
    """The average starts at the first step's weights; validation scores it, and checkpoints carry it."""
    scored = []

    class Score(Hook):
        priority = "LOW"

        def before_val_iter(self, runner, batch_idx, data_batch=None):
            scored.append(weights_of(runner.model))

    overrides = {
        "train_cfg.max_epochs": 1,
        "default_hooks.ema.type": "EMAHook",
        "default_hooks.ema.momentum": 0.25,
        "default_hooks.checkpoint.save_best": "PCKh@0.5",
        "default_hooks.checkpoint.rule": "greater",
    }
    runner, (first, second) = train_recording(make_runner, overrides, hooks=[Score()], validate=True)
    expected = {name: 0.75 * first[name] + 0.25 * second[name] for name in first}
    assert distance(weights_of(runner.model), second) == 0
    (best,) = Path(runner.work_dir).glob("best_PCKh*.pth")
    averages = [torch.load(path, weights_only=False)["state_dict"] for path in (best, best.with_name("epoch_1.pth"))]
    for average in (*averages, scored[0]):
        assert distance(expected, average) < 1e-5 < distance(second, average)
    stored = torch.load(best.with_name("epoch_1.pth"), weights_only=False)["ema_state_dict"]
    assert distance(second, {name.removeprefix("module."): each for name, each in stored.items()}) == 0


def losses_of(make_runner, context):
    """Losses and gradients of the first batch."""
    runner = make_runner()
    batch = next(iter(runner.build_dataloader(runner._train_dataloader, seed=0)))
    runner.model.init_weights()
    with context:
        data = runner.model.data_preprocessor(batch, True)
        losses = runner.model(**data, mode="loss")
    sum(losses.values()).backward()
    gradients = torch.cat([each.grad.flatten() for each in runner.model.parameters()])
    return {name: loss.item() for name, loss in losses.items()}, gradients


def test_losses_in_bfloat16_are_close(make_runner):
    """What AMP computes; MMEngine's AMP itself wants a GPU."""
    exact, exact_gradients = losses_of(make_runner, autocast(device_type="cpu", enabled=False))
    rounded, gradients = losses_of(make_runner, autocast(device_type="cpu", dtype=torch.bfloat16))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)
    assert gradients.isfinite().all()
    assert torch.cosine_similarity(gradients, exact_gradients, dim=0) > 0.9


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_amp_trains_on_a_gpu(dtype, make_runner):
    runner, weights = train_recording(
        make_runner, {"optim_wrapper.type": "AmpOptimWrapper", "optim_wrapper.dtype": dtype}
    )
    assert all(each.isfinite().all() for each in weights[-1].values())
    assert distance(weights[0], weights[-1]) > 0
    assert "loss_scaler" in torch.load(Path(runner.work_dir) / "epoch_2.pth", weights_only=False)["optimizer"]


def read_scalars(runner):
    (path,) = Path(runner.work_dir).glob("*/vis_data/scalars.json")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_log_has_every_loss_rate_and_score(make_runner):
    runner = make_runner({"visualizer.vis_backends": [dict(type="LocalVisBackend")]}, validate=True)
    runner.train()
    records = read_scalars(runner)
    training = [record for record in records if "loss" in record]
    assert [(record["epoch"], record["iter"]) for record in training] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    names = {"loss_pafs", "loss_heatmaps_1", "loss_heatmaps_2", "loss_full_heatmaps", "lr", "sigma", "grad_norm"}
    assert all(names <= record.keys() for record in training)
    assert [record["step"] for record in records if "PCKh@0.5" in record] == [1, 2]


def test_tensorboard_log(make_runner):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    overrides = {
        "default_hooks.visual_samples": dict(type="VisualSamplesHook", interval=1, num_people=2),
        "visualizer.vis_backends": [dict(type="TensorboardVisBackend")],
    }
    runner = make_runner(overrides, validate=True)
    runner.train()
    runner.visualizer.close()
    (folder,) = Path(runner.work_dir).glob("*/vis_data")
    log = EventAccumulator(str(folder))
    log.Reload()
    assert {"loss", "loss_pafs", "lr", "PCKh@0.5"} <= set(log.Tags()["scalars"])
    assert log.Tags()["images"] == ["people"]
    assert [event.step for event in log.Scalars("loss")] == [1, 2, 3, 4]
