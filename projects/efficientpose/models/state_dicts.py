"""Compare tensors by name and shape, and refuse a checkpoint that does not fit a component."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

Tensors = Mapping[str, Tensor]

_MAX_LISTED = 5


class StateDictError(ValueError):
    """Tensors do not fit a component; nothing of it was changed."""


def list_misfits(offered: Tensors, wanted: Tensors) -> list[str]:
    """Return a phrase for each tensor that is missing, left over or of another shape."""
    missing = [f"missing: {key}" for key in wanted if key not in offered]
    left_over = [f"left over: {key}" for key in offered if key not in wanted]
    misshapen = [
        f"{key} has shape {tuple(offered[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in offered and offered[key].shape != tensor.shape
    ]
    return missing + left_over + misshapen


def load_strictly(component: nn.Module, *, explain: Callable[[Tensors, Tensors], str | None] | None = None) -> None:
    """Make a component raise :class:`StateDictError` for state dicts that do not fit it, even with ``strict=False``.

    MMEngine's loader, which MMPose's tools and inferencers use, loads what fits and leaves the rest random. ``explain``
    tells why the offered tensors do not fit the wanted ones, or returns None.
    """

    def refuse_misfits(component: nn.Module, state_dict: Tensors, prefix: str, *_: Any) -> None:
        wanted = component.state_dict()
        offered = {key.removeprefix(prefix): tensor for key, tensor in state_dict.items() if key.startswith(prefix)}
        if misfits := list_misfits(offered, wanted):
            reason = None if explain is None else explain(offered, wanted)
            shown = "\n  ".join(misfits[:_MAX_LISTED])
            raise StateDictError(
                f"the checkpoint does not fit {type(component).__name__}: {len(misfits)} of {len(wanted)} tensors, "
                f"such as\n  {shown}\n{reason or 'Is it of another variant?'}"
            )

    component.register_load_state_dict_pre_hook(refuse_misfits)
