"""Fine-tune with the statistics of the released batch norms, and with parts of the network left as they are."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from efficientpose.engine.lookup import network_of


@HOOKS.register_module()
class FrozenStatisticsHook(Hook):
    """Keep every batch norm's mean and variance, and multiply the head's batch norms into its convolutions.

    A batch norm with fixed statistics is a scale and a shift of its convolution. MMCV computes the two as one
    convolution ("Tune-mode ConvBN", You et al. 2023, arXiv 2305.11624), whose weights still learn: a training step of
    RT takes two thirds of the time. The state dict does not change.

    Args:
        frozen: Prefixes of parameter names that do not learn; nothing before the first learning layer is then
            differentiated.

    Raises:
        ValueError: If no parameter has such a prefix.
    """

    def __init__(self, *, frozen: Sequence[str] = ()) -> None:
        self.frozen = tuple(frozen)

    def before_train(self, runner: Runner) -> None:
        """Freeze the parameters and fold the head's batch norms (MMEngine's contract)."""
        network = network_of(runner)
        names = [name for name, _ in network.named_parameters()]
        for prefix in self.frozen:
            if not any(name.startswith(prefix) for name in names):
                raise ValueError(f"frozen {prefix!r}: no parameter's name begins so; the first is {names[0]!r}")
        for name, parameter in network.named_parameters():
            if name.startswith(self.frozen):
                parameter.requires_grad_(False)
        for module in network.head.modules():
            if isinstance(module, ConvModule) and module.with_norm:
                module.turn_on_efficient_conv_bn_eval(True)

    def before_train_epoch(self, runner: Runner) -> None:
        """Put the batch norms into evaluation mode, which MMEngine has just ended (MMEngine's contract)."""
        self._freeze(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:  # noqa: ARG002
        """Do so again for loops that set the mode after that (MMEngine's contract)."""
        if batch_idx == 0:
            self._freeze(runner)

    def _freeze(self, runner: Runner) -> None:
        for module in network_of(runner).modules():
            if isinstance(module, _BatchNorm):
                module.eval()
