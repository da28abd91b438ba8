"""The documented commands start a training as they are written."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.slow

OPTIONS = [
    "default_hooks.ema.type=EMAHook",
    "optim_wrapper.accumulative_counts=4",
    "auto_scale_lr.base_batch_size=4",
    "model.head.losses.heatmap_loss.type=KeypointOHKMMSELoss",
    "model.head.losses.heatmap_loss.use_target_weight=True",
]
"""Alternatives that the docstring of the schedule names."""


def find_free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_torchrun_trains_on_processors_with_the_schedule_s_alternatives(make_config, tmp_path, repository):
    config = make_config(tmp_path / "work")
    schedule = (repository / "configs" / "_base_" / "schedule.py").read_text()
    assert all(option in schedule for option in OPTIONS)
    config.train_dataloader.batch_size = 1
    config.visualizer.vis_backends = [dict(type="LocalVisBackend")]
    config.default_hooks.input_size = dict(type="ProgressiveResizingHook", input_sizes=[(16, 16), (32, 32)])
    config.dump(tmp_path / "tiny.py")
    port = find_free_port()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    command = [*torchrun, repository / "tools" / "train.py", tmp_path / "tiny.py", "--launcher", "pytorch"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [*map(str, command), "--auto-scale-lr", "--cfg-options", *OPTIONS],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    checkpoint = torch.load(tmp_path / "work" / "epoch_2.pth", weights_only=False)
    assert "ema_state_dict" in checkpoint
    (log,) = (tmp_path / "work").glob("*/vis_data/scalars.json")
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    # eight people, one at a time a process: four batches and one step an epoch, of 8; the rate of 0.01 is for 16
    assert [step["step"] for step in steps if "loss" in step] == list(range(1, 9))
    assert steps[0]["lr"] == 0.005
    assert [step["input_width"] for step in steps if "loss" in step] == [16] * 4 + [32] * 4


def test_slurm_s_tasks_train_and_test_together_on_processors(make_config, tmp_path, repository):
    """Two tasks with the variables that srun gives them; there is no Slurm here."""
    config = make_config(tmp_path / "work")
    config.visualizer.vis_backends = [dict(type="LocalVisBackend")]
    config.dump(tmp_path / "tiny.py")

    def command_of(tool, *arguments):
        return [sys.executable, str(repository / "tools" / tool), str(tmp_path / "tiny.py"), *arguments]

    def run_tasks(tool, *arguments):
        shared = os.environ | dict(
            OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", SLURM_STEP_NUM_TASKS="2", SLURM_NODELIST="localhost"
        )
        shared["MASTER_PORT"] = str(find_free_port())
        tasks = [
            subprocess.Popen(
                [*command_of(tool, *arguments), "--launcher=slurm"],
                env=shared | dict(SLURM_PROCID=str(number), SLURM_LOCALID=str(number)),
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            for number in range(2)
        ]
        try:
            for task in tasks:
                _, errors = task.communicate(timeout=120)
                assert task.returncode == 0, errors[-3000:]
        finally:
            for task in tasks:
                task.kill()

    run_tasks("train.py")
    checkpoint = tmp_path / "work" / "epoch_2.pth"
    assert torch.load(checkpoint, weights_only=False)["meta"]["iter"] == 2  # eight people, four a task
    scores = {name: tmp_path / f"{name}.json" for name in ("together", "alone")}
    run_tasks("test.py", str(checkpoint), "--out", str(scores["together"]))
    alone = command_of("test.py", str(checkpoint), "--out", str(scores["alone"]))
    subprocess.run(alone, check=True, capture_output=True, timeout=120)
    together, alone = (json.loads(path.read_text()) for path in scores.values())
    assert together["PCKh@0.5"] == alone["PCKh@0.5"]
    assert together["AUC"] == alone["AUC"]


@pytest.mark.parametrize("arguments", [("train.py", "any.py"), ("test.py", "efficientpose_rt_mpii.py", "any.pth")])
def test_torchrun_without_the_launcher_is_told_what_is_missing(repository, arguments):
    environment = os.environ | dict(TORCHELASTIC_RUN_ID="none", WORLD_SIZE="2", RANK="0")
    tool, config, *others = arguments
    command = [sys.executable, str(repository / "tools" / tool), str(repository / "configs" / config), *others]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert (result.returncode, "add --launcher pytorch" in result.stderr) == (1, True)
