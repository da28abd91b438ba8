"""A run goes on with the settings it began with: checkpoints carry them."""

from collections.abc import Mapping
from typing import Any

START_ANEW = "start a new run from those weights with load_from"


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
        raise ValueError(f"the run to resume had no {key}, this config has: take that out to resume, or {START_ANEW}")
    check_same(earlier, own, had=f"a {key} of", remedy="set that back")


def check_same(earlier: Mapping[str, Any], own: Mapping[str, Any], *, had: str, remedy: str) -> None:
    """Compare settings of an earlier run with those of the run that is to go on from it.

    Args:
        earlier: Settings by name.
        own: This run's.
        had: What the earlier run had of them, for the error.
        remedy: What to do in order to resume, for the error.

    Raises:
        ValueError: If they differ; it names those that do.
    """
    differing = [name for name in {**earlier, **own} if earlier.get(name) != own.get(name)]
    if differing:
        before, now = (", ".join(f"{name}={each.get(name)}" for name in differing) for each in (earlier, own))
        raise ValueError(
            f"the run to resume had {had} {before}, this config has {now}: {remedy} to resume, or {START_ANEW}"
        )
