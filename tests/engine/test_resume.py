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


def test_resumed_run_ends_with_the_same_bits(make_runner, tmp_path):
    """Augmentation in workers that live on, dropped paths, averaged weights; the seed is only in the checkpoint."""
    settings = EVERYTHING_RANDOM
    whole = make_runner(settings, work_dir=tmp_path / "whole")
    whole.train()
    stopped = settings | {"randomness.seed": whole.seed}
    for iteration in (3, 5):  # the second step of the second epoch, then of the third
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
