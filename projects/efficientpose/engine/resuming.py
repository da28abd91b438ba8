"""A run goes on with the settings it began with: checkpoints carry them."""

from collections.abc import Mapping
from typing import Any


def check_resumed(checkpoint: Mapping[str, Any], key: str, *, own: Mapping[str, Any]) -> None:
    """Compare the settings in a checkpoint with those of the run that is to go on from it.

    Args:
        checkpoint: What the earlier run saved.
        key: Under which it saved its settings.
        own: This run's settings.

    Raises:
        ValueError: If the earlier run had none, or others; it names those that differ.
    """
    earlier = checkpoint.get(key)
    if earlier is None:
        raise ValueError(
            f"the run to resume had no {key}, this config has: take that out to resume, or start a new run from those "
            "weights with load_from"
        )
    differing = [name for name in {**earlier, **own} if earlier.get(name) != own.get(name)]
    if differing:
        before, now = (", ".join(f"{name}={each.get(name)}" for name in differing) for each in (earlier, own))
        raise ValueError(
            f"the run to resume had a {key} of {before}, this config has {now}: set that back to resume, or start a "
            "new run from those weights with load_from"
        )
