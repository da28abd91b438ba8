"""A folded network computes what the MMPose model does."""

import pytest
import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from mmpretrain.models.utils import InvertedResidual
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from efficientpose.export.check import compare, encode_crops, run_model
from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.folding import fold_bottleneck, fold_conv, fold_upsampler, same_pads
from efficientpose.export.layers import PaddedConv2d, Pads
from efficientpose.models.layers import EMBConv, ESwish
from efficientpose.models.upsampling import BilinearUpsampler, TransposedConvUpsampler


def close(ours, theirs):
    """Within 1e-5 of the largest value."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_batch_norm_by_hand():
    block = ConvModule(1, 1, 1, norm_cfg=dict(type="BN", eps=1.0), act_cfg=None).eval()
    with torch.no_grad():
        block.conv.weight.fill_(2)
        for tensor, value in ((block.bn.running_mean, 1), (block.bn.running_var, 3), (block.bn.weight, 4)):
            tensor.fill_(value)
        block.bn.bias.fill_(5)
    folded = fold_conv(block, {})
    # (2x - 1) / sqrt(3 + 1) · 4 + 5 = 4x + 3
    assert (folded.layer.weight.item(), folded.layer.bias.item(), folded.gain) == (4, 3, 1)


def test_factor_of_eswish_is_left_to_the_reader_and_taken_on_by_it():
    block = ConvModule(1, 1, 1, act_cfg=dict(type=ESwish))
    folded = fold_conv(block, {}, gain=2.0)
    conv, activation = folded.layer
    assert isinstance(activation, nn.SiLU)
    assert folded.gain == 1.25
    torch.testing.assert_close(conv.weight, 2 * block.conv.weight)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        ((224, 224), (3, 3), 2, (0, 1, 0, 1)),
        ((112, 112), (5, 5), 2, (1, 2, 1, 2)),
        ((28, 28), (5, 5), 1, (2, 2, 2, 2)),
        ((7, 8), (3, 3), 2, (1, 1, 0, 1)),
        ((9, 9), (1, 1), 2, (0, 0, 0, 0)),
    ],
)
def test_same_padding_by_hand(size, kernel, stride, expected):
    assert same_pads(size, kernel, stride=stride) == Pads(*expected)


@pytest.mark.parametrize(("kernel", "stride", "shape"), [(3, 2, (24, 16)), (5, 2, (23, 16)), (5, 1, (9, 8))])
def test_padded_convolution_is_tensorflow_padding(kernel, stride, shape):
    reference = Conv2dAdaptivePadding(2, 3, kernel, stride=stride)
    height, width = shape
    pads = same_pads((width, height), (kernel, kernel), stride=stride)
    ours = PaddedConv2d(reference.weight, reference.bias, stride=stride, pads=pads, groups=1)
    images = torch.randn(2, 2, height, width)
    torch.testing.assert_close(ours(images), reference(images))


@pytest.mark.parametrize("lite", [False, True])
def test_embconv(randomise, lite):
    options = dict(act_cfg=dict(type="ReLU6"), with_squeeze_excite=False) if lite else {}
    block = randomise(EMBConv(in_channels=5, out_channels=8, **options))
    folded = fold_bottleneck(block, {}, gain=1.7)
    images = torch.randn(2, 5, 9, 7)
    with torch.no_grad():
        close(folded.layer(images) * folded.gain, block(1.7 * images))


@pytest.mark.parametrize("stride", [1, 2])
def test_factor_goes_through_a_residual_addition(randomise, stride):
    block = InvertedResidual(
        6, 6, 24, stride=stride, se_cfg=dict(channels=24, ratio=4, divisor=1), act_cfg=dict(type=ESwish)
    )
    folded = fold_bottleneck(randomise(block), {}, gain=1.25)
    assert folded.gain == (1.25 if stride == 1 else 1.0)
    images = torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        close(folded.layer(images) * folded.gain, block(1.25 * images))


@pytest.mark.parametrize("upsampler", [BilinearUpsampler(), TransposedConvUpsampler(num_maps=3)])
def test_upsamplers(upsampler):
    for parameter in upsampler.parameters():
        nn.init.normal_(parameter)
    maps = torch.randn(2, 3, 5, 4)
    with torch.no_grad():
        close(fold_upsampler(upsampler, num_maps=3)(maps), upsampler(maps))


SLOW = (pytest.param(variant, marks=pytest.mark.slow) for variant in ("ii", "iii", "iv", "ii_lite"))
VARIANTS = ["rt", "i", "rt_lite", *SLOW]


@pytest.mark.parametrize("variant", VARIANTS)
def test_networks(make_network, crops_for, break_stem, variant):
    network = make_network(variant)
    images = torch.from_numpy(encode_crops(network, crops_for(network)[:1], ExportOptions()))
    with torch.no_grad():
        maps = network(images, None, mode="tensor")
        deployed = deploy(network, ExportOptions(pafs=True))
        heatmaps, pafs = deployed(images)
        close(heatmaps, maps.heatmaps[-1])
        close(pafs, maps.pafs)
        for number in range(len(deployed.branches)):
            (broken,) = break_stem(deploy(network, ExportOptions()), "swapped", number)(images)
            assert (broken - heatmaps).abs().max() > 0.01 * heatmaps.abs().max()


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed_conv"])
def test_full_maps(make_network, crops_for, upsampling):
    network = make_network("rt", upsampling)
    images = torch.from_numpy(encode_crops(network, crops_for(network), ExportOptions()))
    with torch.no_grad():
        close(deploy(network, ExportOptions(outputs="full"))(images)[0], network(images, None, mode="tensor").final)


INSIDE = [ExportOptions(normalise_inside=True), ExportOptions(layout="rtmlib")]


@pytest.mark.parametrize("variant", ["rt", "i", "rt_lite"])
@pytest.mark.parametrize("options", INSIDE)
def test_normalisation_inside(make_network, crops_for, variant, options):
    network = make_network(variant)
    crops = crops_for(network)
    with torch.no_grad():
        (ours,) = deploy(network, options)(torch.from_numpy(encode_crops(network, crops, options)))
    close(ours, torch.from_numpy(run_model(network, crops, options)[0]))


@pytest.mark.parametrize("fault", ["swapped", "negated", "not shifted"])
@pytest.mark.parametrize("variant", ["rt", "i", "rt_lite"])
@pytest.mark.parametrize("options", INSIDE)
def test_wrong_normalisation_is_noticed(make_network, crops_for, break_stem, variant, options, fault):
    network = make_network(variant)
    crops = crops_for(network)
    deployed = deploy(network, options)
    if fault == "not shifted":
        deployed.normalise = None
    else:
        break_stem(deployed, fault)
    with torch.no_grad():
        given = deployed(torch.from_numpy(encode_crops(network, crops, options)))
    agreement = compare(
        run_model(network, crops, options), [(given[0].numpy(),)], decoder=network.head.decoder, options=options
    )
    print(f"{variant}, {fault}: {agreement}")
    assert agreement.difference > 0.01
    assert not agreement.is_good


def test_only_what_the_outputs_need_remains(rt):
    deployed = deploy(rt, ExportOptions())
    assert not any(isinstance(module, _BatchNorm | ESwish) for module in deployed.modules())
    channels = sum(module.num_features for module in rt.modules() if isinstance(module, _BatchNorm))
    dense_upsampling = 3 * (16 * 16 * 4 * 4 + 16)
    # a batch norm has four numbers a channel, a folded one leaves a bias
    expected = 460_284 - dense_upsampling - 3 * channels
    assert sum(parameter.numel() for parameter in deployed.parameters()) == expected


def test_the_model_is_not_changed(make_network):
    network = make_network("rt")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    deploy(network, ExportOptions(normalise_inside=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in network.backbone.modules())


def test_errors(make_network):
    with pytest.raises(ValueError, match="the activation Tanh"):
        fold_conv(ConvModule(1, 1, 1, act_cfg=dict(type="Tanh")), {})
    with pytest.raises(ValueError, match="batch norm with statistics"):
        fold_conv(ConvModule(2, 2, 1, norm_cfg=dict(type="GN", num_groups=1)), {})
    with pytest.raises(ValueError, match="in evaluation mode"):
        fold_conv(ConvModule(2, 2, 1, norm_cfg=dict(type="BN")), {})
    with pytest.raises(ValueError, match="this order"):
        fold_conv(ConvModule(2, 2, 1, order=("norm", "conv", "act"), norm_cfg=dict(type="BN")), {})
    with pytest.raises(ValueError, match="evaluation mode"):
        deploy(make_network("rt").train(), ExportOptions())
    with pytest.raises(ValueError, match="has learnt its upsampling"):
        deploy(make_network("rt", "transposed_conv"), ExportOptions())
    with pytest.raises(ValueError, match="does not upsample"):
        deploy(make_network("rt", None), ExportOptions(outputs="full"))
    with pytest.raises(ValueError, match="rtmlib normalises by itself"):
        ExportOptions(layout="rtmlib", normalise_inside=True)
    network = make_network("rt")
    nn.init.zeros_(network.head.paf_pass.predict.weight)
    with pytest.raises(ValueError, match="no weights for them"):
        deploy(network, ExportOptions(pafs=True))
    network.data_preprocessor._channel_conversion = False
    with pytest.raises(ValueError, match="bgr_to_rgb=True"):
        deploy(network, ExportOptions(normalise_inside=True))
