"""The architectures, against the tables that TensorFlow's own code gives."""

import pytest
import torch
from torch import nn

from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.efficientnet_lite import LITE_ARCHITECTURES, EfficientNetLite

KERNELS = (3, 3, 5, 3, 5, 5, 3)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
# Channels and numbers of blocks of each stage, and millions of parameters of the ImageNet classifier.
NETWORKS = {
    "lite0": ((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), 4.7),
    "lite1": ((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1), 5.4),
    "lite2": ((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1), 6.1),
    "lite3": ((24, 32, 48, 96, 136, 232, 384), (1, 3, 3, 5, 5, 6, 1), 8.2),
    "lite4": ((24, 32, 56, 112, 160, 272, 448), (1, 4, 4, 6, 6, 8, 1), 13.0),
}


def build(arch, **arguments):
    return EfficientNetLite(arch=arch.removeprefix("lite"), act_cfg=dict(type="ReLU6"), **arguments)


def test_architectures():
    assert tuple(NETWORKS) == LITE_ARCHITECTURES


@pytest.mark.parametrize("arch", NETWORKS)
def test_blocks_are_tensorflow_s(arch):
    channels, num_blocks, _ = NETWORKS[arch]
    expected, width = [], 32
    for stage, count in enumerate(num_blocks):
        for place in range(count):
            stride, expansion = (STRIDES[stage] if place == 0 else 1), (1 if stage == 0 else 6)
            expected.append((KERNELS[stage], stride, expansion * width, channels[stage]))
            width = channels[stage]
    stem, *stages, last = build(arch).layers
    blocks = [(block.depthwise_conv.conv, block.linear_conv.conv) for stage in stages for block in stage]
    found = [(dw.kernel_size[0], dw.stride[0], dw.out_channels, linear.out_channels) for dw, linear in blocks]
    assert found == expected
    assert (stem.in_channels, stem.out_channels, stem.kernel_size, stem.stride) == (3, 32, (3, 3), (2, 2))
    assert last.out_channels == 1280


@pytest.mark.parametrize("arch", NETWORKS)
def test_number_of_parameters_is_the_published_classifier_s(arch):
    classifier = 1280 * 1000 + 1000
    number = sum(parameter.numel() for parameter in build(arch).parameters()) + classifier
    assert number == pytest.approx(NETWORKS[arch][2] * 1e6, abs=0.06e6)


@pytest.mark.parametrize("arch", NETWORKS)
def test_branch_is_the_first_three_stages_without_squeeze_and_excitation(arch):
    branch = DualEfficientNet(high_arch=arch).eval().high
    whole = build(arch, out_indices=(3,), norm_cfg=dict(type="BN", eps=1e-3))
    whole.eval()  # returns nothing, unlike torch's
    kept = {key: tensor for key, tensor in whole.state_dict().items() if int(key.split(".")[1]) <= 3}
    branch.load_state_dict(kept, strict=True)
    image = torch.randn(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (feature,), (expected,) = branch(image), whole(image)
    assert feature.shape == (1, NETWORKS[arch][0][2], 5, 7)
    torch.testing.assert_close(feature, expected)
    kinds = {type(module).__name__ for module in branch.modules()}
    assert "ReLU6" in kinds
    assert not kinds & {"SELayer", "SiLU", "Swish"}


def test_stem_clips_at_six():
    stem = DualEfficientNet(high_arch="lite0").eval().high.layers[0]
    nn.init.constant_(stem.conv.weight, 1.0)
    out = stem(torch.stack((torch.full((3, 8, 8), 10.0), torch.full((3, 8, 8), -10.0))))
    assert out[0].eq(6).all()
    assert out[1].eq(0).all()
