"""Fold what inference does not need into the convolutions: batch norm, the factor of E-swish, TensorFlow's padding.

A folded layer may leave a factor to the layers that read it: the original's output is ``gain`` times the folded
layer's. Their weights are multiplied by the factor, so all of this is exact.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from mmpretrain.models.utils import InvertedResidual, SELayer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from efficientpose.export.layers import Bottleneck, DenseBlock, Gate, PaddedConv2d, Pads, PassFeatures
from efficientpose.models.layers import DetectionPass, EMBConv, ESwish, MobileDenseNet
from efficientpose.models.upsampling import BilinearUpsampler, TransposedConvUpsampler, bilinear_kernel

InputSizes = Mapping[nn.Module, tuple[int, int]]
"""Convolution → (width, height) of its input, for those whose padding depends on it."""


class Folded(NamedTuple):
    """A folded layer, and the factor by which its output must be multiplied."""

    layer: nn.Module
    gain: float


def measure_inputs(backbone: nn.Module, images: Tensor) -> InputSizes:
    """Run a backbone and return the input size of each convolution with TensorFlow's padding."""
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        height, width = inputs[0].shape[-2:]
        sizes[layer] = (width, height)

    layers = [layer for layer in backbone.modules() if isinstance(layer, Conv2dAdaptivePadding)]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        with torch.no_grad():
            backbone(images)
    finally:
        for hook in hooks:
            hook.remove()
    return sizes


def same_pads(input_size: tuple[int, int], kernel_size: tuple[int, int], *, stride: int) -> Pads:
    """Return TensorFlow's "same" padding: the odd zero goes to the right and to the bottom.

    Sizes are (width, height); the stride is that of both axes.
    """
    horizontal, vertical = (
        max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        for side, kernel in zip(input_size, kernel_size, strict=True)
    )
    return Pads(horizontal // 2, horizontal - horizontal // 2, vertical // 2, vertical - vertical // 2)


def fold_conv(block: ConvModule, sizes: InputSizes, *, gain: float = 1.0) -> Folded:
    """Fold a convolution, its batch norm and its activation, in evaluation mode; ``gain`` is the factor of its input.

    Raises ValueError if it is more than these three in this order.
    """
    conv = block.conv
    if block.order != ("conv", "norm", "act") or block.with_spectral_norm or block.with_explicit_padding:
        raise ValueError(f"only convolution, norm and activation in this order can be exported, got {block}")
    if conv.stride[0] != conv.stride[1] or conv.dilation != (1, 1) or conv.padding_mode != "zeros":
        raise ValueError(f"only square strides, no dilation and padding with zeros can be exported, got {conv}")
    weight, bias = _fold_norm(block)
    folded: nn.Module = PaddedConv2d(
        (weight * gain).float(), bias.float(), stride=conv.stride[0], pads=_pads(conv, sizes), groups=conv.groups
    )
    if not block.with_activation:
        return Folded(folded, 1.0)
    activation = block.activate
    if isinstance(activation, ESwish):
        return Folded(nn.Sequential(folded, nn.SiLU()), activation.beta)
    for kind in (nn.SiLU, nn.ReLU6, nn.ReLU, nn.Sigmoid):
        if type(activation) is kind:
            return Folded(nn.Sequential(folded, kind()), 1.0)
    raise ValueError(f"the activation {activation} cannot be exported: use E-swish, SiLU, ReLU6, ReLU or Sigmoid")


def _fold_norm(block: ConvModule) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution with its batch norm, float64."""
    conv, norm = block.conv, block.norm
    weight = conv.weight.detach().double()
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach().double()
    if norm is None:
        return weight, bias
    if not isinstance(norm, _BatchNorm) or norm.running_mean is None or norm.running_var is None or norm.training:
        raise ValueError(f"only a batch norm with statistics, in evaluation mode, can be folded, got {norm}")
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = weight.new_zeros(len(weight))
    if norm.affine:
        scale = scale * norm.weight.detach().double()
        shift = norm.bias.detach().double()
    return weight * scale.reshape(-1, 1, 1, 1), (bias - norm.running_mean.double()) * scale + shift


def _pads(conv: nn.Conv2d, sizes: InputSizes) -> Pads:
    if isinstance(conv, Conv2dAdaptivePadding):
        height, width = conv.kernel_size
        return same_pads(sizes[conv], (width, height), stride=conv.stride[0])
    if isinstance(conv.padding, str):
        raise ValueError(f"padding must be given in numbers to be exported, got {conv}")
    vertical, horizontal = conv.padding
    return Pads(horizontal, horizontal, vertical, vertical)


def fold_bottleneck(block: InvertedResidual | EMBConv, sizes: InputSizes, *, gain: float = 1.0) -> Folded:
    """Fold an inverted bottleneck of the backbone or of the passes; arguments are those of :func:`fold_conv`."""
    if isinstance(block, EMBConv):
        parts = [block.expand, block.depthwise, block.squeeze_excite, block.project]
        has_residual = False
    else:
        expand = [block.expand_conv] if block.with_expand_conv else []
        parts = [*expand, block.depthwise_conv, *([block.se] if block.with_se else []), block.linear_conv]
        has_residual = block.with_res_shortcut
    layers: list[nn.Module] = []
    current = gain
    for part in parts:
        if isinstance(part, SELayer):  # its output has the factor of its input
            squeeze = fold_conv(part.conv1, sizes, gain=current)
            layers.append(Gate(squeeze.layer, fold_conv(part.conv2, sizes, gain=squeeze.gain).layer))
        elif isinstance(part, ConvModule):
            folded = fold_conv(part, sizes, gain=current)
            layers.append(folded.layer)
            current = folded.gain
        elif part is not None and not isinstance(part, nn.Identity):
            raise ValueError(f"{type(part).__name__} inside {type(block).__name__} cannot be exported")
    if has_residual and gain != current:
        # both terms of the addition need one factor: the projection, which has no activation, takes on the rest
        assert isinstance(layers[-1], PaddedConv2d)  # noqa: S101
        with torch.no_grad():
            for parameter in layers[-1].parameters():
                parameter.mul_(current / gain)
        current = gain
    return Folded(Bottleneck(layers, has_residual=has_residual), current)


def fold_branch(layers: Iterable[nn.Module], sizes: InputSizes) -> nn.Sequential:
    """Fold an EfficientNet's stem and stages; a ValueError if there is a layer that cannot be exported."""
    folded: list[nn.Module] = []
    gain = 1.0
    for layer in layers:
        for block in layer if isinstance(layer, nn.Sequential) else [layer]:
            if isinstance(block, ConvModule):
                result = fold_conv(block, sizes, gain=gain)
            elif isinstance(block, InvertedResidual):
                result = fold_bottleneck(block, sizes, gain=gain)
            else:
                raise ValueError(f"{type(block).__name__} in the backbone cannot be exported")
            folded.append(result.layer)
            gain = result.gain
    assert gain == 1.0  # noqa: S101 - the last projection has no activation
    return nn.Sequential(*folded)


def fold_pass(detection_pass: DetectionPass) -> PassFeatures:
    """Fold the Mobile DenseNets of a detection pass."""
    blocks = []
    for block in cast("Iterable[MobileDenseNet]", detection_pass.blocks):
        folded = [fold_bottleneck(part, {}) for part in (block.first, block.second, block.third)]
        assert all(part.gain == 1.0 for part in folded)  # noqa: S101 - projections have no activation
        blocks.append(DenseBlock(*(part.layer for part in folded)))
    return PassFeatures(blocks)


def fold_prediction(conv: nn.Conv2d) -> PaddedConv2d:
    """Return the 1×1 convolution that predicts heatmaps or part affinity fields."""
    return PaddedConv2d(conv.weight.detach(), cast("Tensor", conv.bias))


def fold_upsampler(upsampler: BilinearUpsampler | TransposedConvUpsampler, *, num_maps: int) -> nn.Sequential:
    """Turn each doubling into a 3×3 convolution that computes all four pixels of a cell, and a pixel shuffle.

    Every engine has these two operations, fast and for any batch size.
    """
    if isinstance(upsampler, BilinearUpsampler):
        kernel = bilinear_kernel().expand(num_maps, 1, 4, 4)
        stages = [(kernel, torch.zeros(num_maps), num_maps)] * upsampler.num_doublings
    else:
        learnt = cast("Iterable[nn.ConvTranspose2d]", upsampler.stages)
        stages = [(stage.weight.detach(), cast("Tensor", stage.bias).detach(), 1) for stage in learnt]
    layers: list[nn.Module] = []
    for kernel, bias, groups in stages:
        weight = _doubling_weight(kernel, grouped=groups > 1)
        conv = PaddedConv2d(weight, bias.repeat_interleave(4), pads=Pads(1, 1, 1, 1), groups=groups)
        layers += [conv, nn.PixelShuffle(2)]
    return nn.Sequential(*layers)


# taps of the 4-tap kernel on cells j - 1, j, j + 1: of pixel 2j, which reads the first two, and of pixel 2j + 1
_TAPS = ((3, 1, None), (None, 2, 0))


def _doubling_weight(kernel: Tensor, *, grouped: bool) -> Tensor:
    """Turn the kernel (in, out, 4, 4) of a transposed convolution with stride 2 into (4 · out, in, 3, 3).

    Where grouped, each channel is on its own and the kernel (channels, 1, 4, 4).
    """
    outward = kernel if grouped else kernel.transpose(0, 1)
    weight = torch.zeros(outward.shape[0], 2, 2, outward.shape[1], 3, 3)
    for y_phase, x_phase in ((0, 0), (0, 1), (1, 0), (1, 1)):
        for row, y_tap in enumerate(_TAPS[y_phase]):
            for column, x_tap in enumerate(_TAPS[x_phase]):
                if y_tap is not None and x_tap is not None:
                    weight[:, y_phase, x_phase, :, row, column] = outward[:, :, y_tap, x_tap]
    return weight.flatten(0, 2)
