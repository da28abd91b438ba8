"""Refuse a checkpoint that does not fit; MMEngine would go on with what does and leave the rest random."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from efficientpose.models.state_dicts import list_misfits

_MAX_LISTED = 5


@HOOKS.register_module()
class StrictCheckpointHook(Hook):
    """Compare a loaded checkpoint with the network, tensor by tensor."""

    priority = "VERY_HIGH"

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the tensors' names and shapes (MMEngine's contract).

        Raises:
            ValueError: If a tensor is missing, left over or of another shape; the message lists some.
        """
        network = runner.model.module if is_model_wrapper(runner.model) else runner.model
        wanted = network.state_dict()
        misfits = list_misfits(checkpoint.get("state_dict", checkpoint), wanted)
        if misfits:
            shown = "\n  ".join(misfits[:_MAX_LISTED])
            raise ValueError(
                f"the checkpoint does not fit the config's network: {len(misfits)} of {len(wanted)} tensors, such as"
                f"\n  {shown}\nIs it of another variant?"
            )
