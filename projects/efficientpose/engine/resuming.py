"""A resumed run goes on with the settings it began with: its checkpoints carry them."""

from collections.abc import Mapping
from typing import Any

_START_ANEW = "start a new run from those weights with load_from"


def check_resumed(
    earlier: Mapping[str, Any] | None, own: Mapping[str, Any], *, name: str, remedy: str = "set that back"
) -> None:
    """Compare settings in a checkpoint with those of the run that resumes from it.

    Args:
        earlier: Settings that the checkpoint carries; None if it has none.
        own: Settings of this run.
        name: What is set, for the error.
        remedy: What to do in order to resume, for the error.

    Raises:
        ValueError: If the earlier run had none, or others; it names those that differ.
    """
    if earlier is None:
        raise ValueError(f"the run to resume had no {name}, this config has: take that out to resume, or {_START_ANEW}")
    differing = [key for key in {**earlier, **own} if earlier.get(key) != own.get(key)]
    if differing:
        before, now = (", ".join(f"{key}={each.get(key)}" for key in differing) for each in (earlier, own))
        raise ValueError(
            f"the run to resume had a {name} with {before}, this config has {now}: {remedy} to resume, or {_START_ANEW}"
        )
