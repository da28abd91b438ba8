"""Stop a training at the first loss that is not finite, and name the batch's samples."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from efficientpose.engine.lookup import network_of


@HOOKS.register_module()
class NanGuardHook(Hook):
    """Stop at the first loss that is not finite, before the weights learn from it.

    With several processes, the one with that batch stops, and the launcher ends the others. Where gradients are
    clipped, a norm that is not finite stops the training too. The weights are spoilt by then, but no checkpoint is
    written with weights that are not finite. Under AMP the norm is not checked: its scaler skips such steps.

    Raises:
        FloatingPointError: It names the epoch, the iteration, the losses and the batch's samples.
    """

    priority = "HIGH"

    def before_train(self, runner: Runner) -> None:
        """Check the losses that the network returns from now on (MMEngine's contract)."""
        network = network_of(runner)

        def watch(_: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
            if isinstance(output, Mapping):  # losses; otherwise predictions
                samples = kwargs["data_samples"] if "data_samples" in kwargs else args[1]
                with torch.no_grad():
                    values = network.parse_losses(output)[1]
                check_losses(values, samples, place=_place(runner))

        self.watching = network.register_forward_hook(watch, with_kwargs=True)

    def after_train(self, runner: Runner) -> None:  # noqa: ARG002 - MMEngine passes it
        """Check no more losses (MMEngine's contract)."""
        self.watching.remove()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:  # noqa: ARG002
        """Check the gradients' norm, where clipping has computed it (MMEngine's contract)."""
        norms = runner.message_hub.log_scalars.get("train/grad_norm")
        if norms is None or isinstance(runner.optim_wrapper, AmpOptimWrapper) or math.isfinite(norms.current()):
            return
        raise FloatingPointError(
            f"{_place(runner)}: the gradients' norm is {norms.current()}, though every loss is finite. "
            f"{describe_samples(data_batch['data_samples'])}"
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that are not finite (MMEngine's contract)."""
        for name, tensor in checkpoint["state_dict"].items():
            if not torch.isfinite(tensor).all():
                raise FloatingPointError(f"{_place(runner)}: {name} is not finite, so no checkpoint is written")


def _place(runner: Runner) -> str:
    return f"epoch {runner.epoch + 1}, iteration {runner.iter + 1}"


def check_losses(losses: Mapping[str, Tensor], samples: Sequence[BaseDataElement], *, place: str) -> None:
    """Check that every loss is finite.

    Args:
        losses: By name, with their sum as ``loss``.
        samples: The batch.
        place: Epoch and iteration, for the error.

    Raises:
        FloatingPointError: If one is not.
    """
    # One look at the sum, so that a GPU is waited for once.
    if math.isfinite(float(losses["loss"])):
        return
    values = ", ".join(f"{name} {float(loss):.4g}" for name, loss in losses.items() if name != "loss")
    raise FloatingPointError(f"{place}: a loss is not finite ({values}). {describe_samples(samples)}")


def describe_samples(samples: Sequence[BaseDataElement]) -> str:
    """Return a batch's samples, one a line, and advice."""
    lines = [f"  id {sample.get('id')}, {sample.get('img_path')}" for sample in samples]
    advice = (
        "Look at their annotations, or start anew with a lower learning rate (tools/lr_range_test.py finds the "
        "highest), from the last checkpoint's weights with load_from."
    )
    return "\n".join(["The batch's samples:", *lines, advice])
