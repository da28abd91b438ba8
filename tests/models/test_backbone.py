import pytest
import torch
from mmpose.registry import MODELS
from mmpretrain.models.backbones import EfficientNet
from torch import nn

from efficientpose.core.variants import VARIANTS
from efficientpose.models.backbone import ARCHITECTURES, DualEfficientNet

PAIRS = [(variant.high_arch, variant.low_arch) for variant in VARIANTS.values()]


def images(height, width, *, num=2):
    return torch.randn(num, 3, height, width, generator=torch.Generator().manual_seed(0))


def whole_efficientnet(arch, *, stage):
    """MMPretrain's own network in evaluation mode, giving one stage's output."""
    network = EfficientNet(arch=arch, out_indices=(stage,))
    network.eval()  # returns nothing, unlike torch's
    return network


def drop_path_rates(layers):
    """Stochastic depth rate of each block, the stem and the last convolution left out."""
    blocks = [block for stage in layers[1:] if isinstance(stage, nn.Sequential) for block in stage]
    return [getattr(block.drop_path, "drop_prob", 0.0) for block in blocks]


@pytest.mark.parametrize(("high_arch", "low_arch"), PAIRS)
@pytest.mark.parametrize("size", [(64, 64), (40, 72), (65, 39), (33, 33), (1, 9)], ids=str)
def test_outputs_share_one_grid_of_stride_eight_rounded_up(high_arch, low_arch, size):
    backbone = DualEfficientNet(high_arch=high_arch, low_arch=low_arch).eval()
    height, width = size
    with torch.no_grad():
        features = backbone(images(height, width, num=1))
    assert len(features) == (1 if low_arch is None else 2)
    for feature, channels in zip(features, backbone.out_channels, strict=True):
        assert feature.shape == (1, channels, -(-height // 8), -(-width // 8))
        assert feature.isfinite().all()


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_high_resolution_width_is_the_paper_s_c(variant):
    backbone = DualEfficientNet(high_arch=variant.high_arch, low_arch=variant.low_arch)
    assert backbone.out_channels[0] == variant.channels


@pytest.mark.parametrize("arch", ["b0", "b2", "b4", "b7"])
def test_high_resolution_feature_is_the_third_stage_of_the_whole_efficientnet(arch):
    whole = whole_efficientnet(arch, stage=3)
    backbone = DualEfficientNet(high_arch=arch).eval()
    kept = {key: tensor for key, tensor in whole.state_dict().items() if int(key.split(".")[1]) <= 3}
    backbone.high.load_state_dict(kept, strict=True)
    with torch.no_grad():
        (expected,), (feature,) = whole(images(48, 72)), backbone(images(48, 72))
    torch.testing.assert_close(feature, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("arch", ["b0", "b1", "b3"])
def test_low_resolution_feature_is_in_front_of_the_last_residual_of_stage_two(arch):
    whole = whole_efficientnet(arch, stage=2)
    backbone = DualEfficientNet(high_arch="b0", low_arch=arch).eval()
    kept = {key: tensor for key, tensor in whole.state_dict().items() if int(key.split(".")[1]) <= 2}
    backbone.low.load_state_dict(kept, strict=True)
    x = images(64, 96)
    halved = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
    with torch.no_grad():
        (behind,) = whole(halved)
        into_last_block = halved
        for layer in (*whole.layers[:2], *whole.layers[2][:-1]):
            into_last_block = layer(into_last_block)
        _, low = backbone(x)
    tolerance = dict(rtol=1e-4, atol=1e-5 * behind.abs().max().item())
    torch.testing.assert_close(low, behind - into_last_block, **tolerance)
    assert not torch.allclose(low, behind, **tolerance)


def test_odd_input_is_halved_by_the_mean_of_the_pixels_there_are():
    halved = DualEfficientNet(high_arch="b0", low_arch="b0").halve(torch.tensor([[[[1.0, 3.0, 5.0]] * 3]]))
    assert halved.tolist() == [[[[2.0, 5.0], [2.0, 5.0]]]]


@pytest.mark.parametrize(("high_arch", "low_arch"), PAIRS)
def test_batch_equals_single(high_arch, low_arch):
    backbone = DualEfficientNet(high_arch=high_arch, low_arch=low_arch).eval()
    x = images(40, 56, num=3)
    with torch.no_grad():
        together = backbone(x)
        alone = [backbone(x[index : index + 1]) for index in range(3)]
    for branch, feature in enumerate(together):
        expected = torch.cat([each[branch] for each in alone])
        torch.testing.assert_close(feature, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize(("high_arch", "low_arch"), [("b0", None), ("b4", "b0"), ("b7", "b3")])
def test_stochastic_depth_has_the_first_rates_of_the_whole_network(high_arch, low_arch):
    backbone = DualEfficientNet(high_arch=high_arch, low_arch=low_arch, drop_path_rate=0.2)
    for branch, arch in zip(backbone.branches, (high_arch, low_arch), strict=False):
        rates = drop_path_rates(branch.layers)
        whole = drop_path_rates(EfficientNet(arch=arch, drop_path_rate=0.2).layers)
        assert rates == whole[: len(rates)]
        # Linear in the block's number, from 0 to 0.2 at the last of the whole network.
        assert rates == pytest.approx([0.2 * block / (len(whole) - 1) for block in range(len(rates))], abs=1e-6)
        assert 0 < rates[-1] < 0.2 == pytest.approx(whole[-1])


def test_stochastic_depth_is_off_in_evaluation():
    backbone = DualEfficientNet(high_arch="b0", low_arch="b0", drop_path_rate=0.9).eval()
    with torch.no_grad():
        assert all(a.equal(b) for a, b in zip(backbone(images(32, 32)), backbone(images(32, 32)), strict=True))


@pytest.mark.parametrize("frozen_stages", [0, 1, 3, 4])
def test_frozen_stages_stay_as_they_are_in_training(frozen_stages):
    backbone = DualEfficientNet(high_arch="b0", low_arch="b0", frozen_stages=frozen_stages).train()
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad] or [torch.zeros(1)], lr=0.1)
    loss = sum(feature.square().mean() for feature in backbone(images(32, 32)))
    if frozen_stages < 4:
        loss.backward()
        optimizer.step()
    for key, tensor in backbone.state_dict().items():
        is_frozen = int(key.split(".")[2]) < frozen_stages
        assert tensor.equal(before[key]) == is_frozen, key


def test_frozen_stages_stay_frozen_after_switching_modes():
    backbone = DualEfficientNet(high_arch="b0", low_arch="b0", frozen_stages=2).eval().train()
    for branch in backbone.branches:
        assert not any(module.training for layer in branch.layers[:2] for module in layer.modules())
        assert not any(p.requires_grad for layer in branch.layers[:2] for p in layer.parameters())
        assert all(module.training for layer in branch.layers[2:] for module in layer.modules())
        assert all(p.requires_grad for layer in branch.layers[2:] for p in layer.parameters())


def test_frozen_stages_are_frozen_from_the_start():
    """Optimisers and DistributedDataParallel look at the parameters before the first call of ``train``."""
    backbone = DualEfficientNet(high_arch="b0", frozen_stages=1)
    assert not any(p.requires_grad for p in backbone.high.layers[0].parameters())


@pytest.mark.filterwarnings("ignore:torch.utils.checkpoint")
def test_recomputing_activations_gives_the_same_gradients():
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        backbone = DualEfficientNet(high_arch="b0", low_arch="b0", with_cp=with_cp).train()
        sum(feature.square().mean() for feature in backbone(images(32, 32))).backward()
        gradients.append({name: p.grad for name, p in backbone.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@pytest.mark.parametrize("norm_type", ["BN", "SyncBN"])
def test_norm_cfg_reaches_both_branches(norm_type):
    norm_cfg = dict(type=norm_type, eps=1e-2, momentum=0.2)
    backbone = DualEfficientNet(high_arch="b0", low_arch="b0", norm_cfg=norm_cfg).eval()
    kind = {"BN": nn.BatchNorm2d, "SyncBN": nn.SyncBatchNorm}[norm_type]
    for branch in backbone.branches:
        norms = [module for module in branch.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        assert norms
        assert all(isinstance(norm, kind) for norm in norms)
        assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-2, 0.2)}
    assert all(feature.isfinite().all() for feature in backbone(images(32, 32)))


def test_sync_and_plain_batch_norm_share_their_checkpoints():
    plain = DualEfficientNet(high_arch="b0", low_arch="b0")
    synchronised = DualEfficientNet(high_arch="b0", low_arch="b0", norm_cfg=dict(type="SyncBN", eps=1e-3))
    synchronised.load_state_dict(plain.state_dict(), strict=True)


def test_default_norm_is_keras():
    backbone = DualEfficientNet(high_arch="b0", low_arch="b0")
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


@pytest.mark.parametrize("arguments", [dict(high_arch="b9"), dict(high_arch="b0", low_arch="es")])
def test_unknown_efficientnet_names_the_known_ones(arguments):
    with pytest.raises(
        ValueError, match=r"unknown EfficientNet '(b9|es)': choose one of b0, b1, .*, b8, lite0, .*, lite4"
    ):
        DualEfficientNet(**arguments)


def test_architectures_are_those_of_mmpretrain_and_the_lite_ones():
    of_mmpretrain = {arch for arch in EfficientNet.arch_settings if arch.startswith("b")}
    assert set(ARCHITECTURES) == of_mmpretrain | {"lite0", "lite1", "lite2", "lite3", "lite4"}


@pytest.mark.parametrize("frozen_stages", [-1, 5])
def test_frozen_stages_out_of_range(frozen_stages):
    with pytest.raises(ValueError, match=rf"frozen_stages must lie between 0 and 4, got {frozen_stages}"):
        DualEfficientNet(high_arch="b0", frozen_stages=frozen_stages)


def test_checkpoint_for_a_branch_that_does_not_exist():
    with pytest.raises(ValueError, match="low_pretrained is set, but there is no low-resolution branch"):
        DualEfficientNet(high_arch="b0", low_pretrained="b0.pth")


def test_misspelt_argument_fails():
    with pytest.raises(TypeError, match="high_architecture"):
        MODELS.build(dict(type="DualEfficientNet", high_architecture="b0"))


def test_one_start_for_the_whole_and_for_a_branch():
    start = dict(type="Pretrained", checkpoint="trained.pth", prefix="backbone.")
    with pytest.raises(ValueError, match="init_cfg and high_pretrained or low_pretrained are both set: start from one"):
        DualEfficientNet(high_arch="b0", high_pretrained="b0.pth", init_cfg=start)
