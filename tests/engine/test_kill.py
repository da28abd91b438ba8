"""A run that is killed (SIGKILL) again and again ends with the same weights, bit for bit, as an undisturbed one."""

import io
import os
import random
import signal
import time
import traceback
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from efficientpose.engine.checkpoints import find_damage

ITERATION, WRITING = b"i", b"w"


class Report(Hook):
    """Tell the parent process of each iteration."""

    def __init__(self, *, pipe):
        self.pipe = pipe

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        os.write(self.pipe, ITERATION)


def linger_in_the_middle_of_files(pipe):
    """Let writing a file pause half-way and tell the parent process."""
    open_file = Path.open

    class SlowFile(io.FileIO):
        def write(self, contents):
            half = len(contents) // 2
            super().write(contents[:half])
            os.write(pipe, WRITING)
            time.sleep(0.3)
            return half + super().write(contents[half:])

    def open_slowly(path, mode="r", *args, **settings):
        return SlowFile(path, mode) if mode == "wb" else open_file(path, mode, *args, **settings)

    Path.open = open_slowly


def start(make_runner, settings, work_dir):
    """Train in a child process; return its number and a pipe with its reports."""
    reports, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            linger_in_the_middle_of_files(pipe)
            custom_hooks = [dict(type=Report, pipe=pipe)]
            make_runner(settings, work_dir=work_dir, custom_hooks=custom_hooks, resume=True).train()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(pipe)
    return child, reports


def kill_after(child, reports, *, num_reports, delay):
    """Kill the child a moment after it has reported so often; return its last report, empty if it ended before."""
    last = b""
    for _ in range(num_reports):
        last = os.read(reports, 1)
    time.sleep(delay if last == ITERATION else 0)
    os.kill(child, signal.SIGKILL)
    os.close(reports)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (-signal.SIGKILL if last else 0)
    return last


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "num_epochs"), [((5, 3, 1), 3), ((5, 4, 1, 6, 6, 1, 2, 4, 5, 3), 7)])
def test_killed_run_ends_with_the_same_bits(kills, num_epochs, make_runner, tmp_path):
    """An epoch reports two iterations and the checkpoint's file; each kill comes after so many reports."""
    settings = {
        "train_cfg.max_epochs": num_epochs,
        "train_dataloader.num_workers": 1,
        "default_hooks.checkpoint.max_keep_ckpts": 2,
    }
    rng = random.Random(6)
    work_dir, killed_at, leftovers = tmp_path / "killed", [], 0
    for num_reports in kills:
        child, reports = start(make_runner, settings, work_dir)
        killed_at.append(kill_after(child, reports, num_reports=num_reports, delay=rng.uniform(0, 0.05)))
        checkpoints = list(work_dir.glob("*.pth"))
        assert [path.name for path in checkpoints if find_damage(path)] == []
        leftovers += len(list(work_dir.glob(".*.partial")))
    assert {ITERATION, WRITING} == set(killed_at)
    assert leftovers > 0
    make_runner(settings, work_dir=work_dir, resume=True).train()
    make_runner(settings, work_dir=tmp_path / "whole").train()

    last = f"epoch_{num_epochs}.pth"
    kept = {f"epoch_{num_epochs - 1}.pth", last, "last_checkpoint"}
    assert {path.name for path in work_dir.iterdir() if path.is_file() and path.suffix != ".py"} == kept
    killed, whole = (
        torch.load(folder / last, weights_only=False)["state_dict"] for folder in (work_dir, tmp_path / "whole")
    )
    assert killed.keys() == whole.keys()
    assert [name for name in whole if not torch.equal(killed[name], whole[name])] == []
