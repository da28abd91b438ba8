"""Building blocks of the detection passes (Groos et al. 2020, Section 3.2)."""

from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpretrain.models.utils import SELayer
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM = dict(type="BN", eps=1e-3, momentum=0.01)  # Keras' with momentum 0.99, as in the released networks


def complete_norm(norm_cfg: dict | None) -> dict:
    """Return a normalisation layer in MMCV's form, such as ``dict(type="SyncBN")``, with Keras' settings as defaults.

    Only batch norms get them. None stands for :data:`BATCH_NORM`.
    """
    if norm_cfg is None:
        return BATCH_NORM
    kind = norm_cfg["type"]
    name = kind if isinstance(kind, str) else kind.__name__
    return BATCH_NORM | norm_cfg if "BN" in name or "BatchNorm" in name else norm_cfg


@MODELS.register_module()
class ESwish(nn.Module):
    """E-swish(x) = beta · x · sigmoid(x) (Alcaide 2018, arXiv 1801.07145); beta is 1.25 in EfficientPose."""

    def __init__(self, *, beta: float = 1.25, inplace: bool = False) -> None:
        super().__init__()
        self.beta, self.inplace = beta, inplace

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to each element."""
        return F.silu(x, inplace=self.inplace).mul_(self.beta)

    def extra_repr(self) -> str:
        """Show beta when a model is printed."""
        return f"beta={self.beta}"


ESWISH = dict(type=ESwish, inplace=False)  # the paper's; in place, autograd would copy its input first


class EMBConv(BaseModule):
    """E-MBConv6(k×k): an inverted bottleneck with E-swish, squeeze-and-excitation and no residual.

    It expands to a multiple of the output channels (MBConv expands the input's) and squeezes to a quarter of them. The
    Lite variants have ReLU6 and no squeeze-and-excitation.

    Args:
        in_channels: Channels read.
        out_channels: Channels written, C in the paper.
        expansion: Hidden channels per output channel.
        kernel_size: Side of the depthwise convolution, odd.
        norm_cfg: Normalisation layer, in MMCV's form; None for :data:`BATCH_NORM`.
        act_cfg: Activation, in MMCV's form; None for :data:`ESWISH`.
        with_squeeze_excite: Whether there is squeeze-and-excitation.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        expansion: int = 6,
        kernel_size: int = 5,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        with_squeeze_excite: bool = True,
    ) -> None:
        super().__init__()
        hidden = expansion * out_channels
        norm_cfg = complete_norm(norm_cfg)
        act_cfg = ESWISH if act_cfg is None else act_cfg
        layers: dict[str, Any] = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.expand = ConvModule(in_channels, hidden, 1, **layers)
        self.depthwise = ConvModule(hidden, hidden, kernel_size, padding=kernel_size // 2, groups=hidden, **layers)
        self.squeeze_excite: nn.Module = nn.Identity()
        if with_squeeze_excite:
            gates = (act_cfg, dict(type="Sigmoid"))
            self.squeeze_excite = SELayer(hidden, squeeze_channels=out_channels // 4, act_cfg=gates)
        self.project = ConvModule(hidden, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)

    def forward(self, x: Tensor) -> Tensor:
        """Compute (B, out_channels, H, W) from (B, in_channels, H, W)."""
        x = self.depthwise(self.expand(x))  # (B, 6C, H, W)
        return self.project(self.squeeze_excite(x))


class MobileDenseNet(BaseModule):
    """Three E-MBConvs with ``settings``, densely connected: 3C channels from any number; ``channels`` is C."""

    def __init__(self, *, in_channels: int, channels: int, **settings: Any) -> None:
        super().__init__()
        self.first = EMBConv(in_channels=in_channels, out_channels=channels, **settings)
        self.second = EMBConv(in_channels=channels, out_channels=channels, **settings)
        self.third = EMBConv(in_channels=2 * channels, out_channels=channels, **settings)
        self.out_channels = 3 * channels

    def forward(self, x: Tensor) -> Tensor:
        """Compute (B, 3C, H, W) from (B, in_channels, H, W)."""
        first = self.first(x)  # (B, C, H, W)
        first_two = torch.cat((self.second(first), first), dim=1)  # (B, 2C, H, W)
        return torch.cat((self.third(first_two), first_two), dim=1)


class DetectionPass(BaseModule):
    """D Mobile DenseNets, and a 1×1 convolution that predicts heatmaps or part affinity fields from their features.

    From the second block on, a block's output is added to its input.

    Args:
        in_channels: Channels read.
        channels: C, channels of each convolution block.
        num_blocks: D, Mobile DenseNets in sequence.
        num_maps: Heatmaps, or components of part affinity fields.
        **settings: Further arguments of each :class:`EMBConv`.
    """

    def __init__(self, *, in_channels: int, channels: int, num_blocks: int, num_maps: int, **settings: Any) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            MobileDenseNet(in_channels=in_channels if number == 0 else 3 * channels, channels=channels, **settings)
            for number in range(num_blocks)
        )
        self.predict = nn.Conv2d(3 * channels, num_maps, 1)
        self.handed_channels = 3 * channels  # the next pass reads these features

    def forward(self, x: Tensor) -> Tensor:
        """Compute features (B, 3C, H, W) from (B, in_channels, H, W); ``predict`` turns these into maps."""
        first, *rest = self.blocks
        x = first(x)
        for block in rest:
            x = block(x) + x
        return x
