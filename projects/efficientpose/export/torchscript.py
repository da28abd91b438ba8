"""Write a deployed network as TorchScript."""

import warnings
from pathlib import Path

import torch

from efficientpose.export.deployed import DeployedNetwork


def write_torchscript(network: DeployedNetwork, path: Path, *, metadata: dict[str, str]) -> None:
    """Write a file that LibTorch and ``torch.jit.load`` run without this package; the batch size is free.

    Args:
        network: Any of :func:`~efficientpose.export.deployed.deploy`.
        path: Where to.
        metadata: Names and contents of files to write into it.
    """
    width, height = network.input_size
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        traced = torch.jit.trace(network, torch.zeros(1, 3, height, width))
        torch.jit.save(torch.jit.freeze(traced), str(path), _extra_files=metadata)
