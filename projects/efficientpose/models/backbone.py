"""Dual EfficientNet: detail from the whole input, context from the halved one."""

from typing import Any

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpretrain.models.backbones import EfficientNet
from torch import Tensor, nn

from efficientpose.models.efficientnet_lite import LITE_ARCHITECTURES, EfficientNetLite
from efficientpose.models.imagenet import IMAGENET, imagenet_url, load_imagenet_weights
from efficientpose.models.layers import complete_norm
from efficientpose.models.state_dicts import load_strictly

NUM_HIGH_STAGES = 3
NUM_LOW_STAGES = 2
ARCHITECTURES = (*(f"b{index}" for index in range(9)), *LITE_ARCHITECTURES)


def build_truncated_efficientnet(arch: str, *, num_stages: int, **settings: Any) -> EfficientNet:
    """Build the stem and the first stages of an EfficientNet, with the stochastic depth they have in the whole one."""
    is_lite = arch in LITE_ARCHITECTURES
    network = (EfficientNetLite if is_lite else EfficientNet)(
        arch=arch.removeprefix("lite"),
        out_indices=(num_stages,),
        act_cfg=dict(type="ReLU6") if is_lite else dict(type="SiLU", inplace=False),
        **settings,
    )
    network.layers = network.layers[: num_stages + 1]
    network.out_channels = network.layers[-1][-1].linear_conv.out_channels
    return network


@MODELS.register_module()
class DualEfficientNet(BaseModule):
    """EfficientNet blocks 1 to 3 on the input and, as a second branch, blocks 1 and 2 on the halved input.

    Both branches end at stride 8 of the input. The high-resolution feature is taken after the last residual addition of
    stage 3, the low-resolution one before that of stage 2, as in the released networks. Any input size works: an output
    has ceil(size / 8) cells.

    Args:
        high_arch: EfficientNet of the high-resolution branch, "b0" to "b8" or "lite0" to "lite4".
        low_arch: EfficientNet of the low-resolution branch, or None for a single branch.
        high_pretrained: Weights that :meth:`init_weights` starts this branch from: "imagenet" for MMPretrain's
            checkpoint, a file or URL of another in its layout, or None for random weights.
        low_pretrained: Those of the low-resolution branch.
        drop_path_rate: Stochastic depth rate of each whole EfficientNet; the kept stages have its smaller, first rates.
        norm_cfg: Normalisation layer, in MMCV's form; None for a batch norm. Every batch norm gets Keras' settings (eps
            1e-3, momentum 0.01) unless it brings its own.
        frozen_stages: Stages kept as they are in training: 1 is the stem, 2 adds stage 1, and so on; 0 freezes none.
        with_cp: Recompute activations in the backward pass to save memory; batch norms then update their statistics
            twice a step, as in MMPretrain.
        init_cfg: Weights of the whole backbone, in MMEngine's form; in place of those of its branches.

    Raises:
        ValueError: If an architecture is unknown, checkpoint weights are given for a branch that does not exist, or
            both for a branch and for the whole.
    """

    def __init__(
        self,
        *,
        high_arch: str,
        low_arch: str | None = None,
        high_pretrained: str | None = None,
        low_pretrained: str | None = None,
        drop_path_rate: float = 0.0,
        norm_cfg: dict | None = None,
        frozen_stages: int = 0,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if init_cfg is not None and (high_pretrained is not None or low_pretrained is not None):
            raise ValueError("init_cfg and high_pretrained or low_pretrained are both set: start from one of them")
        for arch in (high_arch, low_arch):
            if arch is not None and arch not in ARCHITECTURES:
                raise ValueError(f"unknown EfficientNet {arch!r}: choose one of {', '.join(ARCHITECTURES)}")
        if low_arch is None and low_pretrained is not None:
            raise ValueError("low_pretrained is set, but there is no low-resolution branch: set low_arch too")
        if not 0 <= frozen_stages <= NUM_HIGH_STAGES + 1:
            raise ValueError(f"frozen_stages must lie between 0 and {NUM_HIGH_STAGES + 1}, got {frozen_stages}")
        self.high_arch = high_arch
        self._starts = [(high_arch, high_pretrained)]
        self.frozen_stages = frozen_stages
        settings: dict[str, Any] = dict(
            drop_path_rate=drop_path_rate, norm_cfg=complete_norm(norm_cfg), with_cp=with_cp
        )
        self.high = build_truncated_efficientnet(high_arch, num_stages=NUM_HIGH_STAGES, **settings)
        self.low: EfficientNet | None = None
        if low_arch is not None:
            self.low = build_truncated_efficientnet(low_arch, num_stages=NUM_LOW_STAGES, **settings)
            self.low.layers[-1][-1].with_res_shortcut = False
            self._starts.append((low_arch, low_pretrained))
        # Rounding up keeps both branches' grids equal at odd input sizes; at even sizes it changes nothing.
        self.halve = nn.AvgPool2d(2, ceil_mode=True)
        load_strictly(self)
        self.train(self.training)  # freezes stages before an optimiser collects parameters

    @property
    def branches(self) -> tuple[EfficientNet, ...]:
        """The branches, high resolution first."""
        return (self.high,) if self.low is None else (self.high, self.low)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of each output."""
        return tuple(branch.out_channels for branch in self.branches)

    def init_weights(self) -> None:
        """Initialise both branches, from ImageNet checkpoints where they are given."""
        super().init_weights()
        for branch, (arch, checkpoint) in zip(self.branches, self._starts, strict=True):
            if checkpoint is not None:
                load_imagenet_weights(branch, imagenet_url(arch) if checkpoint == IMAGENET else checkpoint)

    def train(self, mode: bool = True) -> "DualEfficientNet":
        """Set the mode; frozen stages stay in evaluation mode."""
        super().train(mode)
        for branch in self.branches:
            for layer in branch.layers[: self.frozen_stages]:
                layer.eval().requires_grad_(False)
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Extract features (B, C, ceil(H / 8), ceil(W / 8)) of normalised RGB images (B, 3, H, W).

        The high-resolution feature comes first; with two branches, the low-resolution one follows on the same grid.
        """
        (high,) = self.high(images)
        if self.low is None:
            return (high,)
        (low,) = self.low(self.halve(images))  # stride 4 of the halved input, 8 of the input
        return high, low
