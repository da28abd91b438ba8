"""Two processes train as one with twice the batch: gradients are averaged, batch norms synchronised, samples cut alike.

The losses are means over a batch, so the average over processes is the mean over all samples only if their batches are
equally large, as MMEngine's sampler makes them.
"""

import os
import socket
import traceback

import pytest
import torch
from mmpose.registry import MODELS
from torch import distributed, nn
from torch.distributed.nn.functional import all_reduce

from efficientpose.engine.launchers import join_cpu_processes, read_slurm

NUM_PROCESSES = 2


@MODELS.register_module()
class CpuSyncBN(nn.BatchNorm2d):
    """Batch norm with the statistics of all processes' samples; on GPUs ``sync_bn="torch"`` of the config does this.

    PyTorch's own refuses CPU tensors.
    """

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        sums = torch.stack((x.sum((0, 2, 3)), x.square().sum((0, 2, 3))))
        count = x.numel() / x.shape[1]
        if distributed.is_initialized():
            sums, count = all_reduce(sums), count * distributed.get_world_size()
        mean, mean_square = sums / count
        variance = mean_square - mean.square()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight / (variance + self.eps).sqrt()
        return x * scale[None, :, None, None] + (self.bias - mean * scale)[None, :, None, None]


def test_batch_norm_of_the_test_is_a_batch_norm():
    torch.manual_seed(0)
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    own, torchs = CpuSyncBN(3, momentum=0.1).double(), nn.BatchNorm2d(3, momentum=0.1).double()
    gradients = []
    for layer in (own, torchs):
        layer(x).square().mul(torch.arange(25.0).reshape(5, 5)).sum().backward()
        gradients.append(x.grad.clone())
        x.grad = None
    torch.testing.assert_close(own(x), torchs(x))
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(own.state_dict(), torchs.state_dict())


def train(make_runner, work_dir, *, batch_size, norm, **settings):
    """Two epochs of two steps, with the shipped augmentation."""
    overrides = {
        "train_dataloader.batch_size": batch_size,
        "model.backbone.norm_cfg": dict(type=norm),
        "model.head.norm_cfg": dict(type=norm),
    }
    runner = make_runner(overrides, work_dir=work_dir, **settings)
    runner.train()
    assert runner.iter == 4


def run_in_processes(body):
    """Run ``body()`` in forked processes that find each other as torchrun's do."""
    children = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for rank in range(NUM_PROCESSES):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(NUM_PROCESSES)}
                os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
                assert join_cpu_processes("pytorch")
                assert not join_cpu_processes("pytorch")  # it is in a group already
                body()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * NUM_PROCESSES


def load(work_dir, *, epoch, statistics):
    """Batch norms' running statistics, or all weights, as one vector."""
    state_dict = torch.load(work_dir / f"epoch_{epoch}.pth", weights_only=False)["state_dict"]
    chosen = [name for name in state_dict if "num_batches" not in name and ("running" in name) == statistics]
    return torch.cat([state_dict[name].flatten() for name in chosen])


@pytest.fixture
def compare(make_runner, tmp_path):
    """A function of the norm: how far two processes end from one, per length of the way that one went in an epoch.

    Of weights and of statistics.
    """

    def run(norm):
        settings = dict(norm=norm, work_dir=tmp_path / "two", launcher="pytorch")
        run_in_processes(lambda: train(make_runner, batch_size=2, **settings))
        train(make_runner, tmp_path / "one", batch_size=4, norm=norm)
        differences = []
        for statistics in (False, True):
            start, one, two = (
                load(tmp_path / name, epoch=epoch, statistics=statistics)
                for name, epoch in (("one", 1), ("one", 2), ("two", 2))
            )
            differences.append(float((two - one).norm() / (one - start).norm()))
        return differences

    return run


@pytest.mark.slow
def test_two_processes_train_as_one_with_twice_the_batch(compare):
    assert max(compare("CpuSyncBN")) < 1e-4


@pytest.mark.slow
def test_they_would_not_with_statistics_of_their_own(compare):
    assert min(compare("BN")) > 1e-2


@pytest.mark.parametrize("launcher", ["none", "mpi"])
def test_without_a_launcher_of_its_own_a_process_joins_no_group(launcher):
    assert not join_cpu_processes(launcher)
    assert not distributed.is_initialized()


def test_processes_that_would_each_run_alone_are_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"torchrun started 2 processes, .*: add --launcher pytorch"):
        join_cpu_processes("none")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not join_cpu_processes("none")


def test_a_launcher_that_did_not_start_the_process_is_refused(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"--launcher pytorch, but RANK.* not set: start it with torchrun"):
        join_cpu_processes("pytorch")
    with pytest.raises(ValueError, match=r"SLURM_STEP_NUM_TASKS not set: start it with srun"):
        join_cpu_processes("slurm")


BATCH_SCRIPT = dict(
    SLURM_PROCID="0", SLURM_NTASKS="8", SLURM_NODELIST="node7", SLURM_LOCALID="0", SLURM_JOB_ID="123456"
)
SLURM = BATCH_SCRIPT | dict(SLURM_PROCID="5", SLURM_LOCALID="1", SLURM_STEP_NUM_TASKS="8")


def test_slurm_s_variables_become_torchrun_s():
    expected = dict(RANK="5", LOCAL_RANK="1", WORLD_SIZE="8", MASTER_ADDR="node7", MASTER_PORT="23456")
    assert read_slurm(SLURM) == expected
    second_step = dict(SLURM_STEP_ID="1", SLURM_STEP_NODELIST="node8")
    assert read_slurm(SLURM | second_step) == expected | dict(MASTER_ADDR="node8", MASTER_PORT="21375")
    named = dict(MASTER_ADDR="10.0.0.1", MASTER_PORT="1234")
    assert read_slurm(SLURM | named) == expected | named


def test_several_nodes_are_unfolded_by_slurm_itself(monkeypatch, tmp_path):
    script = tmp_path / "scontrol"
    script.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[03-05]" ] && printf "node03\\nnode04\\nnode05\\n"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert read_slurm(SLURM | dict(SLURM_NODELIST="node[03-05]"))["MASTER_ADDR"] == "node03"
    with pytest.raises(ValueError, match=r"cannot unfold the nodes 'a,b' .*: name one in MASTER_ADDR"):
        read_slurm(SLURM | dict(SLURM_NODELIST="a,b"))


def test_a_batch_script_without_srun_is_refused_instead_of_waiting_for_others():
    with pytest.raises(ValueError, match="--launcher slurm, but SLURM_STEP_NUM_TASKS not set: start it with srun"):
        read_slurm(BATCH_SCRIPT)
