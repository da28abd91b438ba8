"""The network that a runner trains, without what MMEngine wraps around it."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def network_of(runner: Runner) -> Any:
    """Return the runner's network itself, also where several processes share it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
