"""Training in several processes on a machine without GPUs: MMEngine's launchers would look for one GPU a process."""

import os

import torch
from torch import distributed

WORLD_SIZE = "WORLD_SIZE"  # set by torchrun


def join_cpu_processes() -> bool:
    """Join torchrun's processes over gloo, if there are several and no accelerator; MMEngine then keeps that group.

    Returns:
        Whether the group was joined here.
    """
    if int(os.environ.get(WORLD_SIZE, "1")) < 2 or torch.accelerator.is_available() or distributed.is_initialized():
        return False
    distributed.init_process_group("gloo")
    return True
