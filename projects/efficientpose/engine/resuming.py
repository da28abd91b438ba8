"""A run goes on with the settings it began with: checkpoints carry them."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS


def network_of(runner: Runner) -> Any:
    """Return the runner's network itself, also where several processes share it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def hook_class(settings: ConfigDict) -> type[Hook]:
    """Return the class that a hook's settings name.

    Raises:
        ValueError: If no such hook is registered.
    """
    named = settings["type"]
    found = HOOKS.get(named) if isinstance(named, str) else named
    if found is None:
        raise ValueError(f"no hook {named!r} is registered; see default_hooks and custom_hooks")
    return found


def find_hook(config: Config, sought: type[Hook]) -> ConfigDict | None:
    """Return the settings of the first hook of a class among default and custom hooks; None without one."""
    every = [*(config.get("default_hooks") or {}).values(), *(config.get("custom_hooks") or [])]
    return next((settings for settings in every if settings and issubclass(hook_class(settings), sought)), None)


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
