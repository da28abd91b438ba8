"""The documented commands start a training as they are written."""

import json
import os
import socket
import subprocess
import sys

import torch

OPTIONS = [
    "default_hooks.ema.type=EMAHook",
    "optim_wrapper.accumulative_counts=4",
    "model.head.loss.type=KeypointOHKMMSELoss",
    "model.head.loss.use_target_weight=True",
]
"""Alternatives that the docstring of the schedule names."""


def test_torchrun_trains_on_processors_with_the_schedule_s_alternatives(make_config, tmp_path, repository):
    config = make_config(tmp_path / "work")
    schedule = (repository / "configs" / "_base_" / "schedule.py").read_text()
    assert all(option in schedule for option in OPTIONS)
    config.visualizer.vis_backends = [dict(type="LocalVisBackend")]
    config.dump(tmp_path / "tiny.py")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    command = [*torchrun, repository / "tools" / "train.py", tmp_path / "tiny.py", "--launcher", "pytorch"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
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
    # eight people, four a process: one step an epoch; a rate of 0.01 for batches of 16 is half of it for 8
    assert [step["step"] for step in steps if "loss" in step] == [1, 2]
    assert steps[0]["lr"] == 0.005
