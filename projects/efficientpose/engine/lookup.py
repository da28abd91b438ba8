"""Look up a run's network, and a hook in its config."""

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
    hooks = [*(config.get("default_hooks") or {}).values(), *(config.get("custom_hooks") or [])]
    return next((settings for settings in hooks if settings and issubclass(hook_class(settings), sought)), None)
