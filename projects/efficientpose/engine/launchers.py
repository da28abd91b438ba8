"""Training and testing in several processes without GPUs: MMEngine's launchers would look for one GPU a process."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

import torch
from torch import distributed

_NUM_TASKS = "SLURM_STEP_NUM_TASKS"  # that srun started; a batch script has not got it
_FIRST_PORT, _NUM_PORTS, _PRIME = 20000, 10000, 7919  # so that neighbouring jobs' steps do not meet


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
            f"torchrun started {os.environ['WORLD_SIZE']} processes, each of which would write over the others' files: "
            "add --launcher pytorch"
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
    """Translate the variables that srun sets into those that torchrun would set.

    They describe a step; a job may run several at once, and jobs without GPUs share nodes. So each step has a port of
    its own, unless ``MASTER_PORT`` names one.

    Args:
        variables: The environment.

    Raises:
        ValueError: If srun did not set them (a batch script has some of them too), or the first node is unknown.
    """
    _require(variables, ("SLURM_PROCID", "SLURM_NODELIST", _NUM_TASKS), launcher="slurm", started_by="srun")
    task = variables["SLURM_PROCID"]
    job, step = (int(variables.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    nodes = variables.get("SLURM_STEP_NODELIST") or variables["SLURM_NODELIST"]
    return {
        "RANK": task,
        "LOCAL_RANK": variables.get("SLURM_LOCALID", task),
        "WORLD_SIZE": variables[_NUM_TASKS],
        "MASTER_ADDR": variables.get("MASTER_ADDR") or _find_first_node(nodes),
        "MASTER_PORT": variables.get("MASTER_PORT", str(_FIRST_PORT + (job + _PRIME * step) % _NUM_PORTS)),
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
