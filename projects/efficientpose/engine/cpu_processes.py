"""Training in several processes on a machine without GPUs: MMEngine's launchers would look for one GPU a process."""

import argparse
import os
import shutil
import subprocess
from collections.abc import Sequence

import torch
from torch import distributed

DEFAULT_PORT = "29500"  # MMEngine's, where MASTER_PORT names no other


def read_launcher(arguments: Sequence[str]) -> str:
    """Return the ``--launcher`` that the arguments of MMPose's tools name; ``none`` without one."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--launcher", default="none")
    launcher: str = parser.parse_known_args(arguments)[0].launcher
    return launcher


def join_cpu_processes(launcher: str) -> bool:
    """Join the processes of torchrun or srun over gloo, if there is no accelerator; MMEngine then keeps that group.

    Args:
        launcher: MMEngine's, ``pytorch`` for torchrun or ``slurm`` for srun; no others are joined here.

    Returns:
        Whether the group was joined here.

    Raises:
        ValueError: If torchrun started several processes and no launcher is named, or srun started none.
    """
    if launcher == "none" and "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        raise ValueError(
            f"torchrun started {os.environ['WORLD_SIZE']} processes, each of which would train alone and write over "
            "the others: add --launcher pytorch"
        )
    if launcher not in ("pytorch", "slurm") or torch.accelerator.is_available() or distributed.is_initialized():
        return False
    if launcher == "slurm":
        os.environ |= read_slurm(os.environ)
    distributed.init_process_group("gloo")
    return True


def read_slurm(variables: dict[str, str] | os._Environ[str]) -> dict[str, str]:
    """Return the variables that torchrun would have set, of those that srun set, as MMEngine does.

    Args:
        variables: The environment.

    Raises:
        ValueError: If they are not a Slurm task's, or its nodes cannot be told.
    """
    missing = [name for name in ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODELIST") if name not in variables]
    if missing:
        raise ValueError(f"--launcher slurm, but {', '.join(missing)} not set: start it with srun")
    task = variables["SLURM_PROCID"]
    return {
        "RANK": task,
        "LOCAL_RANK": variables.get("SLURM_LOCALID", task),
        "WORLD_SIZE": variables["SLURM_NTASKS"],
        "MASTER_ADDR": variables.get("MASTER_ADDR") or _find_first_node(variables["SLURM_NODELIST"]),
        "MASTER_PORT": variables.get("MASTER_PORT", DEFAULT_PORT),
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
