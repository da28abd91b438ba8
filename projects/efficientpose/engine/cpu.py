"""Training and testing in several processes without GPUs: MMEngine's launchers would look for one GPU a process."""

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import distributed

MMAP_MAX, TRIM_THRESHOLD, TOP_PAD = -4, -1, -2
"""Parameters of glibc's mallopt(3)."""

LARGEST_INT = 2**31 - 1


def ask_for_huge_pages() -> None:
    """Let PyTorch ask for large tensors in huge pages, if there is no accelerator; before the first tensor is made.

    ``THP_MEM_ALLOC_ENABLE``, which is PyTorch's own switch, stays what it is if it is set.
    """
    if not torch.accelerator.is_available():
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def keep_freed_memory() -> bool:
    """Let glibc keep the memory that this process's tensors free, for those that follow, if there is no accelerator.

    It would map each large tensor anew, and the kernel clear its pages: a tenth to a fifth of a training step. What is
    kept is about what a step needs at its peak.

    Returns:
        Whether memory is kept; with an accelerator, or another C library, it is left as it is.
    """
    if torch.accelerator.is_available() or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = {MMAP_MAX: 0, TRIM_THRESHOLD: LARGEST_INT, TOP_PAD: 2**28}
    accepted = [libc.mallopt(parameter, value) for parameter, value in settings.items()]
    return all(accepted)


@HOOKS.register_module()
class CpuMemoryHook(Hook):
    """Keep freed memory when a run starts, as :func:`keep_freed_memory` does; data-loading workers inherit that."""

    def before_run(self, runner: Runner) -> None:  # noqa: ARG002 - MMEngine passes it
        """Keep it (MMEngine's contract)."""
        keep_freed_memory()


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store weights, and so every feature map, with channels innermost ("channels last").

    Convolutions and batch norms read (B, C, H, W) either way; the values do not change beyond rounding. A training step
    of RT takes about half the time on a CPU.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the network (MMEngine's contract)."""
        runner.model.to(memory_format=torch.channels_last)


STEP_SIZE = "SLURM_STEP_NUM_TASKS"
"""Variable with the number of tasks that srun started; a batch script has not got it."""

FIRST_PORT, NUM_PORTS, PRIME = 20000, 10000, 7919  # so that neighbouring jobs' steps do not meet


def join_cpu_processes(launcher: str) -> bool:
    """Join the processes of torchrun or srun over gloo, if there is no accelerator; MMEngine then keeps that group.

    Args:
        launcher: MMEngine's, ``pytorch`` for torchrun or ``slurm`` for srun; no others are joined here.

    Returns:
        Whether the group was joined here.

    Raises:
        ValueError: If torchrun started several processes and no launcher is named, or one is named that started none.
    """
    if launcher == "none" and "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        raise ValueError(
            f"torchrun started {os.environ['WORLD_SIZE']} processes, each of which would run alone and write over the "
            "others: add --launcher pytorch"
        )
    if launcher not in ("pytorch", "slurm") or torch.accelerator.is_available() or distributed.is_initialized():
        return False
    if launcher == "slurm":
        os.environ |= read_slurm(os.environ)
    else:
        _require(os.environ, ("RANK", "WORLD_SIZE"), launcher="pytorch", started_by="torchrun")
    distributed.init_process_group("gloo")
    return True


def _require(variables: Mapping[str, str], names: Sequence[str], *, launcher: str, started_by: str) -> None:
    missing = [name for name in names if name not in variables]
    if missing:
        raise ValueError(f"--launcher {launcher}, but {', '.join(missing)} not set: start it with {started_by}")


def read_slurm(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that torchrun would have set, of those that srun set.

    They are of the step, of which a job may have several at once. So is the port, for jobs without GPUs share nodes;
    ``MASTER_PORT`` names another.

    Args:
        variables: The environment.

    Raises:
        ValueError: If they are not those of srun's tasks (a batch script has some of them too), or the nodes cannot be
            told.
    """
    needed = ("SLURM_PROCID", "SLURM_NODELIST", STEP_SIZE)
    _require(variables, needed, launcher="slurm", started_by="srun")
    task = variables["SLURM_PROCID"]
    job, step = (int(variables.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    nodes = variables.get("SLURM_STEP_NODELIST") or variables["SLURM_NODELIST"]
    return {
        "RANK": task,
        "LOCAL_RANK": variables.get("SLURM_LOCALID", task),
        "WORLD_SIZE": variables[STEP_SIZE],
        "MASTER_ADDR": variables.get("MASTER_ADDR") or _find_first_node(nodes),
        "MASTER_PORT": variables.get("MASTER_PORT", str(FIRST_PORT + (job + PRIME * step) % NUM_PORTS)),
    }


def _find_first_node(nodes: str) -> str:
    """Return the first host of Slurm's node list, such as ``node[03-05,12]``, which Slurm itself unfolds."""
    if not set("[,") & set(nodes):
        return nodes
    try:
        command = [shutil.which("scontrol") or "scontrol", "show", "hostnames", nodes]
        unfolded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"scontrol cannot unfold the nodes {nodes!r} ({error}): name one in MASTER_ADDR") from error
    return unfolded[0]
