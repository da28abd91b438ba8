"""OpenPose as the paper's baseline (Groos et al. 2020, Fig. 1; Cao et al. 2019, arXiv 1812.08008)."""

from typing import Final

import torch
from mmengine.model import BaseModule
from mmpose.models.backbones.vgg import make_vgg_layer
from mmpose.registry import MODELS
from torch import Tensor, nn

from efficientpose.models.imagenet import IMAGENET, imagenet_url, load_imagenet_weights
from efficientpose.models.state_dicts import load_strictly

NUM_VGG_CONVOLUTIONS: Final = (2, 2, 4, 2)  # of each stage up to conv4_2; all but the last end in pooling


def make_convolution(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Make a convolution with bias that keeps the grid, and a PReLU with a slope for each channel."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    return nn.Sequential(convolution, nn.PReLU(out_channels))


@MODELS.register_module()
class OpenPoseVGG(BaseModule):
    """VGG-19 up to conv4_2, and two 3×3 convolutions to a quarter of its channels: features at stride 8.

    Args:
        base_channels: Channels of VGG's first stage, doubled by each later one; 64 as published.
        pretrained: Weights that :meth:`init_weights` starts VGG from: "imagenet" for MMPretrain's checkpoint, a file or
            URL in its layout or torchvision's, such as "torchvision://vgg19", or None for random weights.
        init_cfg: Weights of the whole backbone, in MMEngine's form; in place of ``pretrained``.

    Raises:
        ValueError: If there is no channel, or both ``pretrained`` and ``init_cfg`` are given.
    """

    def __init__(
        self, *, base_channels: int = 64, pretrained: str | None = None, init_cfg: dict | list | None = None
    ) -> None:
        if base_channels < 1:
            raise ValueError(f"base_channels must be at least 1, got {base_channels}")
        if init_cfg is not None and pretrained is not None:
            raise ValueError("init_cfg and pretrained are both set: start from one of them")
        super().__init__(init_cfg or dict(type="Kaiming", layer="Conv2d"))
        self.pretrained = pretrained
        widths = [3, *(base_channels * 2**stage for stage in range(len(NUM_VGG_CONVOLUTIONS)))]
        layers: list[nn.Module] = []
        for read, written, num_convolutions in zip(widths[:-1], widths[1:], NUM_VGG_CONVOLUTIONS, strict=True):
            layers += make_vgg_layer(read, written, num_convolutions)
        self.vgg = nn.ModuleDict(dict(features=nn.Sequential(*layers[:-1])))  # named as in VGG's checkpoints
        narrower = [(8 * base_channels, 4 * base_channels), (4 * base_channels, 2 * base_channels)]
        self.adapt = nn.Sequential(*(make_convolution(*pair, 3) for pair in narrower))
        self.out_channels = (2 * base_channels,)
        load_strictly(self)

    def init_weights(self) -> None:
        """Initialise all layers, those of VGG from an ImageNet checkpoint where it is given."""
        super().init_weights()
        if self.pretrained is not None:
            start = imagenet_url("vgg19") if self.pretrained == IMAGENET else self.pretrained
            load_imagenet_weights(self.vgg, start, title="VGG-19")

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Extract features ((B, 2 · base_channels, H // 8, W // 8),) of normalised RGB images (B, 3, H, W)."""
        return (self.adapt(self.vgg["features"](images)),)


class DenseBlock(nn.Module):
    """Three 3×3 convolutions of ``channels`` each, whose outputs are joined: 3 · channels from any number."""

    def __init__(self, *, in_channels: int, channels: int) -> None:
        super().__init__()
        self.first = make_convolution(in_channels, channels, 3)
        self.second, self.third = (make_convolution(channels, channels, 3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Compute (B, 3 · channels, H, W) from (B, in_channels, H, W)."""
        first = self.first(x)
        second = self.second(first)
        return torch.cat((first, second, self.third(second)), dim=1)


class OpenPosePass(BaseModule):
    """Dense blocks, a hidden 1×1 convolution, and one that predicts maps from its output.

    Args:
        in_channels: Channels read.
        channels: Channels of each 3×3 convolution; the first pass of its kind has three quarters of them.
        num_blocks: Dense blocks in sequence.
        num_maps: Heatmaps, or components of part affinity fields.
        is_first: Whether it is the first pass of its kind. It has 2 · channels hidden ones, others 4 · channels.
    """

    def __init__(self, *, in_channels: int, channels: int, num_blocks: int, num_maps: int, is_first: bool) -> None:
        super().__init__()
        width, num_hidden = (3 * channels // 4, 2 * channels) if is_first else (channels, 4 * channels)
        reads = [in_channels] + [3 * width] * (num_blocks - 1)
        self.blocks = nn.Sequential(*(DenseBlock(in_channels=each, channels=width) for each in reads))
        self.hidden = make_convolution(3 * width, num_hidden, 1)
        self.predict = nn.Conv2d(num_hidden, num_maps, 1)
        self.handed_channels = num_maps  # the next pass reads what this one predicts

    def forward(self, x: Tensor) -> Tensor:
        """Compute features (B, num_hidden, H, W) from (B, in_channels, H, W); ``predict`` turns these into maps."""
        return self.hidden(self.blocks(x))
