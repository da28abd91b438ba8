"""Find hooks in a config before they are built."""

from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmpose.registry import HOOKS


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
