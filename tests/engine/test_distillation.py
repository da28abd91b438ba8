"""A run with a teacher: its checkpoints, and how it goes on."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import load_checkpoint
from mmpose.registry import MODELS

from efficientpose.core.shipped_files import mpii_config_path


def settings_of(teacher_checkpoint):
    return {
        "model.type": "PoseMapDistiller",
        "model.teacher": "rt",
        "model.teacher_checkpoint": str(teacher_checkpoint),
    }


def weights_after(epoch, work_dir):
    return torch.load(Path(work_dir) / f"epoch_{epoch}.pth", weights_only=False)["state_dict"]


def test_a_resumed_run_ends_with_the_same_bits_as_a_plain_student(make_runner, tmp_path, untrained_checkpoint):
    settings = settings_of(untrained_checkpoint)
    whole = make_runner(settings, work_dir=tmp_path / "whole")
    whole.train()
    resumed_dir = tmp_path / "resumed"
    resumed_dir.mkdir()
    (resumed_dir / "epoch_1.pth").write_bytes((tmp_path / "whole" / "epoch_1.pth").read_bytes())
    (resumed_dir / "last_checkpoint").write_text(str(resumed_dir / "epoch_1.pth"))
    make_runner(settings, work_dir=resumed_dir, resume=True).train()

    expected, found = weights_after(2, whole.work_dir), weights_after(2, resumed_dir)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    before = weights_after(1, whole.work_dir)
    assert not all(torch.equal(before[name], tensor) for name, tensor in expected.items())

    plain = MODELS.build(Config.fromfile(mpii_config_path("rt")).model)
    assert expected.keys() == plain.state_dict().keys()
    load_checkpoint(plain, str(tmp_path / "whole" / "epoch_2.pth"), strict=True)


def test_a_student_of_crops_that_grow_is_taught_at_their_size(make_runner, untrained_checkpoint):
    """Drawn and taught targets, whose sizes must be the shrunk maps', make up the losses."""
    growing = dict(type="ProgressiveResizingHook", input_sizes=[(16, 16), (32, 32)])
    runner = make_runner(settings_of(untrained_checkpoint) | {"default_hooks.input_size": growing})
    runner.train()
    scalars = runner.message_hub.log_scalars
    steps, _ = scalars["train/loss_teacher_full_heatmaps"].data
    assert len(steps) == 4
    assert torch.tensor(steps).isfinite().all()
    assert (torch.tensor(steps) > 0).all()
