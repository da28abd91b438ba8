"""Compare tensors by name and shape before any is loaded."""

from collections.abc import Mapping

from torch import Tensor


def list_misfits(offered: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """Say of every tensor that is missing, left over or of another shape.

    Args:
        offered: Tensors to load.
        wanted: Tensors of the network.

    Returns:
        A phrase for each; none if all fit.
    """
    missing = [f"missing: {key}" for key in wanted if key not in offered]
    left_over = [f"left over: {key}" for key in offered if key not in wanted]
    misshapen = [
        f"{key} has shape {tuple(offered[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in offered and offered[key].shape != tensor.shape
    ]
    return missing + left_over + misshapen
