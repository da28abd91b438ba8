"""A training that goes wrong stops, names the batch, and leaves no spoilt checkpoint."""

import re
from pathlib import Path

import pytest
import torch

STEP = 1  # counted from 0: the second step of the first epoch


def spoil_loss(runner, *, value):
    """Make ``loss_heatmaps_1`` of one step ``value``; return what was so: samples' ids and weights before."""
    head = runner.model.head
    compute, seen = head.loss, {}

    def loss(feats, samples, train_cfg=None):
        losses = compute(feats, samples, train_cfg)
        if runner.iter == STEP:
            seen["samples"] = [(sample.id, sample.img_path) for sample in samples]
            seen["weights"] = {name: each.detach().clone() for name, each in runner.model.named_parameters()}
            losses["loss_heatmaps_1"] = losses["loss_heatmaps_1"] * value
        return losses

    head.loss = loss
    return seen


def spoil_gradient(runner):
    """Make the gradient of one step infinite, though its loss is finite."""
    weight = runner.model.head.heatmap_passes[0].predict.weight
    weight.register_hook(lambda gradient: gradient + (torch.inf if runner.iter == STEP else 0))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_stops_before_the_step(value, make_runner):
    runner = make_runner()
    seen = spoil_loss(runner, value=value)
    with pytest.raises(FloatingPointError) as caught:
        runner.train()
    message = str(caught.value)
    assert message.startswith("epoch 1, iteration 2: a loss is not finite (loss_pafs ")
    assert f"loss_heatmaps_1 {value}," in message
    named = re.findall(r"^  id (\d+), (.*)$", message, flags=re.MULTILINE)
    assert [(int(number), path) for number, path in named] == seen["samples"]
    assert len(named) == 4
    assert all(Path(path).is_file() for _, path in named)
    assert [name for name, each in runner.model.named_parameters() if not each.equal(seen["weights"][name])] == []
    assert list(Path(runner.work_dir).glob("*.pth")) == []


def test_gradient_that_is_not_finite_stops(make_runner):
    runner = make_runner()
    spoil_gradient(runner)
    with pytest.raises(FloatingPointError, match=r"epoch 1, iteration 2: the gradients' norm is inf(?s:.*)id \d, /"):
        runner.train()
    assert list(Path(runner.work_dir).glob("*.pth")) == []


def test_spoilt_weights_are_not_saved(make_runner):
    """Without clipping nothing looks at gradients, and the epoch's last step is seen by no loss."""
    runner = make_runner(optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01)))
    spoil_gradient(runner)
    with pytest.raises(FloatingPointError, match=r"head.*predict.weight is not finite, so no checkpoint is written"):
        runner.train()
    assert list(Path(runner.work_dir).glob("*.pth")) == []


def test_sound_training_is_left_alone_and_watched_no_longer(make_runner):
    runner = make_runner({"train_cfg.max_epochs": 1})
    runner.train()
    assert runner.iter == 2
    assert not runner.model._forward_hooks
