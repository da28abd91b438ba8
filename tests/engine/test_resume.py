"""A run that is stopped and resumed ends with the very same weights, bit for bit; the granularity is the epoch."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

EPOCHS = 3


class Stop(Hook):
    """Stop in the middle of an epoch."""

    def __init__(self, *, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def state_after(epoch, work_dir):
    checkpoint = torch.load(Path(work_dir) / f"epoch_{epoch}.pth", weights_only=False)
    optimizer = checkpoint["optimizer"]["state"]
    return (
        checkpoint["state_dict"]
        | {f"momentum {key}": value["momentum_buffer"] for key, value in optimizer.items()}
        | {f"averaged {key}": value for key, value in checkpoint.get("ema_state_dict", {}).items()}
    )


EVERYTHING_RANDOM = {
    "train_cfg.max_epochs": EPOCHS,
    "train_dataloader.num_workers": 2,
    "train_dataloader.persistent_workers": True,
    "model.backbone.drop_path_rate": 0.2,
    "default_hooks.ema": dict(type="EMAHook", momentum=0.1),
    "randomness": dict(seed=None),
}


TWO_BATCHES_LEFT_OVER = {"train_dataloader.batch_size": 1, "optim_wrapper.accumulative_counts": 3}
"""Of the eight of an epoch, whose gradients no checkpoint holds."""


@pytest.mark.parametrize(
    ("settings", "iterations"),
    [
        pytest.param(EVERYTHING_RANDOM, (3, 5), marks=pytest.mark.slow, id="plain"),
        pytest.param(EVERYTHING_RANDOM | TWO_BATCHES_LEFT_OVER, (10, 20), id="accumulated"),
    ],
)
def test_resumed_run_ends_with_the_same_bits(make_runner, tmp_path, settings, iterations):
    """Augmentation in workers that live on, dropped paths, averaged weights; the seed is only in the checkpoint.

    It is stopped in the midst of the second epoch, then of the third.
    """
    whole = make_runner(settings, work_dir=tmp_path / "whole")
    whole.train()
    stopped = settings | {"randomness.seed": whole.seed}
    for iteration in iterations:
        custom_hooks = [dict(type=Stop, iteration=iteration)]
        with pytest.raises(KeyboardInterrupt):
            make_runner(stopped, custom_hooks=custom_hooks, work_dir=tmp_path / "stopped", resume=True).train()
        stopped = settings
    resumed = make_runner(settings, work_dir=tmp_path / "stopped", resume=True)
    resumed.train()
    assert resumed.seed == whole.seed

    expected, found = state_after(EPOCHS, whole.work_dir), state_after(EPOCHS, resumed.work_dir)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    earlier = state_after(EPOCHS - 1, whole.work_dir)
    assert [name for name in expected if name.endswith("weight") and torch.equal(expected[name], earlier[name])] == []


CYCLICAL = dict(type="DecayingTriangularLR", cycle=3, by_epoch=True, convert_to_iter_based=True)


def test_an_epoch_that_takes_no_step_is_refused(make_runner):
    runner = make_runner({"optim_wrapper.accumulative_counts": 3})
    with pytest.raises(ValueError, match=r"epoch of 2 batches takes no step when 3 are accumulated: lower"):
        runner.train()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optim_wrapper.optimizer.lr": 0.02}, r"base_values=\[0\.01.*this config has base_values=\[0\.02"),
        ({"param_scheduler": [CYCLICAL | dict(cycle=2)]}, r"with cycle=6, this config has cycle=4"),
        ({"default_hooks.sigma.sigma_end": 0.1}, r"sigma_end=0\.05, this config has sigma_end=0\.1"),
        ({"train_dataloader.batch_size": 2}, r"steps_per_epoch=2, this config has steps_per_epoch=4"),
    ],
)
def test_a_run_of_another_rate_is_not_resumed(make_runner, tmp_path, changes, message):
    cyclical = {"param_scheduler": [CYCLICAL]}
    earlier = make_runner(cyclical, work_dir=tmp_path / "earlier")
    earlier.train()
    assert earlier.param_schedulers[0].sigma_start == 0.2  # the hook's
    other = make_runner(cyclical | changes, resume=True, load_from=str(tmp_path / "earlier" / "epoch_1.pth"))
    with pytest.raises(ValueError, match=message):
        other.train()
