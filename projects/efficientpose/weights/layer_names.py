"""What the released networks call each layer of ours."""

import re
from collections.abc import Iterator
from typing import Final

from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn

from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.efficientnet_lite import LITE_ARCHITECTURES

LITE_PREFIX: Final = "efficientnet-"
"""What the names of a Lite backbone's layers begin with, followed by its architecture."""

_BRANCHES = {"high": "res1", "low": "res2"}
_BACKBONE_LAYERS = {
    "expand_conv.conv": "expand_conv",
    "expand_conv.bn": "expand_bn",
    "depthwise_conv.conv": "dwconv",
    "depthwise_conv.bn": "bn",
    "se.conv1.conv": "se_reduce",
    "se.conv2.conv": "se_expand",
    "linear_conv.conv": "project_conv",
    "linear_conv.bn": "project_bn",
}
_HEAD_LAYERS = {
    "expand.conv": "conv1",
    "expand.bn": "conv1_bn",
    "depthwise.conv": "dconv1",
    "depthwise.bn": "dconv1_bn",
    "squeeze_excite.conv1.conv": "se_se_squeeze_conv",
    "squeeze_excite.conv2.conv": "se_se_excite_conv",
    "project.conv": "conv2",
    "project.bn": "conv2_bn",
}
_DENSE_POSITIONS = {"first": 1, "second": 2, "third": 3}
_PASSES = {
    "paf_pass": "pass1_{}skeleton{}",
    "heatmap_passes.0": "pass2_{}detection1{}",
    "heatmap_passes.1": "pass3_{}detection2{}",
}
_UPSAMPLER_STAGES = ("upscaled_deconv1", "upscaled_deconv2", "upscaled_confs")

_STEM = re.compile(r"backbone\.(high|low)\.layers\.0\.(conv|bn)")
_BACKBONE_BLOCK = re.compile(r"backbone\.(high|low)\.layers\.(\d)\.(\d+)\.(.+)")
_HEAD_BLOCK = re.compile(r"head\.(paf_pass|heatmap_passes\.\d)\.blocks\.(\d)\.(first|second|third)\.(.+)")
_PREDICTION = re.compile(r"head\.(paf_pass|heatmap_passes\.\d)\.predict")
_UPSAMPLER = re.compile(r"head\.upsampler\.stages\.(\d)")


def released_layer_names(network: TopdownPoseEstimator) -> dict[str, str]:
    """Return the released name of every convolution and batch norm of a network, by its path.

    Raises:
        ValueError: If the released networks have no such layer.
    """
    is_lite = network.backbone.high_arch in LITE_ARCHITECTURES
    lite_names = dict(_name_lite_backbone(network.backbone)) if is_lite else {}
    return {
        path: lite_names.get(path) or released_layer_name(path)
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d)
    }


def _name_lite_backbone(backbone: DualEfficientNet) -> Iterator[tuple[str, str]]:
    """Yield path and released name; blocks count through the stages, and layers of one kind count within a block."""
    stem, *stages = backbone.high.layers
    blocks = {"0": stem}
    blocks |= {f"{stage}.{place}": block for stage, each in enumerate(stages, 1) for place, block in enumerate(each)}
    for number, (path, block) in enumerate(blocks.items(), start=-1):
        released = f"{LITE_PREFIX}{backbone.high_arch}/model/" + ("stem" if block is stem else f"blocks_{number}")
        num_dense = num_norms = 0
        for name, module in block.named_modules(prefix=f"backbone.high.layers.{path}"):
            if isinstance(module, nn.BatchNorm2d):
                yield name, f"{released}/{_counted('tpu_batch_normalization', num_norms)}/FusedBatchNormV3_0"
                num_norms += 1
            elif isinstance(module, nn.Conv2d) and module.groups > 1:
                yield name, f"{released}/depthwise_conv2d/depthwise_0"
            elif isinstance(module, nn.Conv2d):
                yield name, f"{released}/{_counted('conv2d', num_dense)}/Conv2D_0"
                num_dense += 1


def _counted(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def released_layer_name(module: str) -> str:
    """Return the released name of a convolution or batch norm of ours that is not of a Lite backbone.

    Args:
        module: Its path in the pose estimator, such as "backbone.high.layers.1.0.depthwise_conv.bn".

    Raises:
        ValueError: If the released networks have no such layer.
    """
    if stem := _STEM.fullmatch(module):
        return f"stem_{stem[2]}_{_BRANCHES[stem[1]]}"
    if (block := _BACKBONE_BLOCK.fullmatch(module)) and block[4] in _BACKBONE_LAYERS:
        letter = chr(ord("a") + int(block[3]))
        return f"block{block[2]}{letter}_{_BACKBONE_LAYERS[block[4]]}_{_BRANCHES[block[1]]}"
    if (block := _HEAD_BLOCK.fullmatch(module)) and block[4] in _HEAD_LAYERS and block[1] in _PASSES:
        position = f"block{int(block[2]) + 1}_mbconv{_DENSE_POSITIONS[block[3]]}_"
        return _PASSES[block[1]].format(position, f"_{_HEAD_LAYERS[block[4]]}")
    if (prediction := _PREDICTION.fullmatch(module)) and prediction[1] in _PASSES:
        return _PASSES[prediction[1]].format("", "_pafs" if prediction[1] == "paf_pass" else "_confs")
    if stage := _UPSAMPLER.fullmatch(module):
        return _UPSAMPLER_STAGES[int(stage[1])]
    raise ValueError(f"the released networks have no layer like {module}")
