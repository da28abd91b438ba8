"""Building blocks of a deployed network, in plain torch and without batch norm."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Pads(NamedTuple):
    """Cells of zeros added around a tensor."""

    left: int
    right: int
    top: int
    bottom: int

    @property
    def is_symmetric(self) -> bool:
        """Whether both sides of each axis get as many."""
        return self.left == self.right and self.top == self.bottom


NO_PADS = Pads(0, 0, 0, 0)


class PaddedConv2d(nn.Conv2d):
    """A convolution that may pad one side by more than the other, as TensorFlow's "same" padding does.

    ``weight`` is (out, in / groups, h, w), ``bias`` (out,); the stride is that of both axes.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int = 1, pads: Pads = NO_PADS, groups: int = 1) -> None:
        out_channels, group_channels, height, width = weight.shape
        symmetric = (pads.top, pads.left) if pads.is_symmetric else 0
        super().__init__(
            group_channels * groups, out_channels, (height, width), stride=stride, padding=symmetric, groups=groups
        )
        self.pads = pads
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H', W')."""
        return super().forward(x if self.pads.is_symmetric else F.pad(x, tuple(self.pads)))


class Gate(nn.Module):
    """Squeeze-and-excitation: two 1×1 convolutions turn the channels' means into a factor for each channel."""

    def __init__(self, squeeze: nn.Module, excite: nn.Module) -> None:
        super().__init__()
        self.squeeze = squeeze
        self.excite = excite

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return x * self.excite(self.squeeze(x.mean((2, 3), keepdim=True)))


class Bottleneck(nn.Module):
    """Inverted bottleneck, of the backbones (MBConv) and of the detection passes (E-MBConv).

    Layers are expansion, depthwise convolution, gate and projection; some may be left out.
    """

    def __init__(self, layers: list[nn.Module], *, has_residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.has_residual = has_residual

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H', W')."""
        return x + self.layers(x) if self.has_residual else self.layers(x)


class DenseBlock(nn.Module):
    """Mobile DenseNet: three bottlenecks, densely connected."""

    def __init__(self, first: nn.Module, second: nn.Module, third: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.third = third

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, 3C, H, W)."""
        first = self.first(x)
        second = self.second(first)
        third = self.third(torch.cat((second, first), dim=1))
        return torch.cat((third, second, first), dim=1)


class PassFeatures(nn.Module):
    """The Mobile DenseNets of a detection pass; from the second on, each is added to its input."""

    def __init__(self, blocks: list[DenseBlock]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, 3C, H, W)."""
        for number, block in enumerate(self.blocks):
            x = block(x) if number == 0 else block(x) + x
        return x


class InputShift(nn.Module):
    """Add a number to each channel of the input; ``shift`` is (C,).

    The convolution behind it cannot take the shift over, because it pads with zeros, which stand for the mean.
    """

    shift: Tensor

    def __init__(self, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift.reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return images + self.shift


class Resampling(nn.Module):
    """Resample (B, K, H, W) by a matrix along each axis, ``rows`` (H', H) and ``columns`` (W, W')."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, K, H, W) to (B, K, H', W')."""
        return torch.matmul(torch.matmul(self.rows, maps), self.columns)
