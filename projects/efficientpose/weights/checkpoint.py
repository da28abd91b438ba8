"""Write, read and load checkpoints; publish the weights of a training's checkpoint."""

import io
import pickle
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmpose.models.pose_estimators.base import BasePoseEstimator
from torch import Tensor, nn

import efficientpose
from efficientpose.core.files import replacing
from efficientpose.core.skeleton import MPII_SKELETON, Skeleton
from efficientpose.models.build import build_network
from efficientpose.models.state_dicts import StateDictError
from efficientpose.models.trained_skeleton import trained_skeleton


class CheckpointError(ValueError):
    """A checkpoint cannot be read or does not fit the network."""


def make_checkpoint(
    state_dict: dict[str, Tensor], *, variant: str, source: str, skeleton: Skeleton = MPII_SKELETON
) -> dict[str, Any]:
    """Wrap a pose estimator's state dict in MMEngine's layout, with where it comes from and what it predicts."""
    meta = dict(
        efficientpose_version=efficientpose.__version__,
        variant=variant,
        source=source,
        keypoint_names=list(skeleton.keypoint_names),
        limbs=[list(limb) for limb in skeleton.limbs],
        flip_indices=list(skeleton.flip_indices),
    )
    return dict(meta=meta, state_dict=state_dict)


def save_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that ``path`` is never half a file.

    Raises FileNotFoundError if the folder does not exist; OSError if it cannot be written.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; make it before writing {path.name}")
    serialised = io.BytesIO()
    torch.save(checkpoint, serialised)
    with replacing(path) as partial:
        partial.write_bytes(serialised.getbuffer())


def load_checkpoint(network: nn.Module, path: Path, *, variant: str | None) -> None:
    """Load a checkpoint into a pose estimator, every tensor.

    Reads our own checkpoints and those of MMEngine's training. No code from the file runs: besides tensors and plain
    values only NumPy arrays and MMEngine's loss history are let through.

    Args:
        network: Changed in place.
        path: The checkpoint.
        variant: The network's; None for a network of one's own.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be read, is of another variant, or a tensor is missing, left over or of another
            shape.
    """
    checkpoint = read_checkpoint(path)
    meta = checkpoint.get("meta")
    written_for = meta.get("variant") if isinstance(meta, dict) else None
    if variant is not None and written_for not in (None, variant):
        raise CheckpointError(
            f"{path} is of EfficientPose {str(written_for).upper()}, not {variant.upper()}: use --model {written_for}"
        )
    try:
        network.load_state_dict(checkpoint["state_dict"], strict=True)
    except (RuntimeError, StateDictError) as error:
        target = "the config's network" if variant is None else f"EfficientPose {variant.upper()}"
        shown = "\n".join(str(error).splitlines()[:8])
        raise CheckpointError(f"{path} does not fit {target}: {shown}") from error


def read_checkpoint(path: Path, *, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint of ours or of MMEngine's training, without running code from it.

    Raises FileNotFoundError if there is no such file; CheckpointError if it cannot be read or has no ``state_dict`` of
    names and tensors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        with _allow_training_records():
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # a damaged file makes PyTorch's reader fail in a dozen ways
        raise CheckpointError(
            f"{path} is not a checkpoint that holds tensors alone, or is damaged ({_reason(error)})"
        ) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise CheckpointError(f"{path} has no state_dict: it is not an MMPose checkpoint")
    for name, tensor in checkpoint["state_dict"].items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointError(f"{path}: {name!r} of its state_dict is no tensor")
    return checkpoint


def _reason(error: Exception) -> str:
    """Return what is wrong, in a line, without PyTorch's advice to load the file unsafely."""
    lines = str(error).rpartition("WeightsUnpickler error:")[2].strip().splitlines()
    return lines[0].partition(" Please use")[0] if lines else type(error).__name__


def _loss_statistic(owner: type, name: str) -> object:
    """Stand in for ``getattr``, which MMEngine's loss history needs, but for its four statistics alone."""
    if owner is not HistoryBuffer or name not in ("min", "max", "current", "mean"):
        raise pickle.UnpicklingError(f"it asks for {name!r} of {owner!r}")
    return getattr(owner, name)


def _allow_training_records() -> AbstractContextManager:
    """Let through what MMEngine's training stores besides tensors: NumPy arrays and the loss history."""
    rebuild = dict(_reconstruct=np.zeros(1).__reduce__()[0], scalar=np.float64(0).__reduce__()[0])
    names = ("bool", "uint8", "int32", "int64", "float32", "float64")
    allowed: list[Any] = [HistoryBuffer, np.ndarray, np.dtype, *{type(np.dtype(name)) for name in names}]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # as NumPy 1 and 2 write them
        allowed += [(function, f"{module}.{name}") for name, function in rebuild.items()]
    return torch.serialization.safe_globals([*allowed, (_loss_statistic, "builtins.getattr")])


def publish_checkpoint(
    training_checkpoint: Path, path: Path, *, variant: str, source: str, network: BasePoseEstimator | None = None
) -> None:
    """Write the weights of a training's checkpoint, without optimiser and history, as a checkpoint of ours.

    Args:
        training_checkpoint: As MMEngine wrote it.
        path: The checkpoint to write, ``.pth``.
        variant: Name of the network, kept in the file.
        source: What it was trained on, kept in the file.
        network: One of your own, such as of another skeleton, in place of the variant's; its weights are overwritten.

    Raises:
        ValueError: If the variant is unknown or ``path`` has another ending.
        FileNotFoundError: If there is no such checkpoint, or no folder for ``path``.
        CheckpointError: If it cannot be read or does not fit the variant.
        OSError: If ``path`` cannot be written.
    """
    if path.suffix != ".pth":
        raise ValueError(f"{path}: a checkpoint's name ends in .pth")
    expected = variant if network is None else None
    network = build_network(variant) if network is None else network
    load_checkpoint(network, training_checkpoint, variant=expected)
    state_dict = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    checkpoint = make_checkpoint(state_dict, variant=variant, source=source, skeleton=trained_skeleton(network))
    save_checkpoint(checkpoint, path)
