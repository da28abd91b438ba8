import pytest
import torch
from mmpose.registry import MODELS
from torch import nn
from torch.nn import functional as F

from efficientpose.models.layers import DetectionPass, EMBConv, ESwish, MobileDenseNet


def randomise(module):
    """Give every tensor of a module, batch-norm statistics included, a value that is not its default."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        values = torch.rand(tensor.shape, generator=generator)
        tensor.copy_(values + 0.5 if "var" in name else values - 0.5)
    return module


LITE = dict(act_cfg=dict(type="ReLU6"), with_squeeze_excite=False)


class Recorder(nn.Module):
    """Stands in for a block: keeps what it reads and gives what it is told to."""

    def __init__(self, give):
        super().__init__()
        self.give = give
        self.read = []

    def forward(self, x):
        self.read.append(x)
        return self.give(x)


# x · sigmoid(x) · 1.25 with sigmoid(1) = 0.7310586 and sigmoid(2) = 0.8807971
@pytest.mark.parametrize(
    ("x", "expected"), [(0.0, 0.0), (1.0, 0.9138232), (-1.0, -0.3361768), (2.0, 2.2019927), (-60.0, 0.0), (60.0, 75.0)]
)
def test_eswish_hand_values(x, expected):
    assert ESwish()(torch.tensor(x)).item() == pytest.approx(expected, abs=1e-6)


def test_eswish_with_another_beta():
    assert ESwish(beta=2.0)(torch.tensor(1.0)).item() == pytest.approx(1.4621172, abs=1e-6)
    assert "beta=2.0" in repr(ESwish(beta=2.0))


def test_eswish_slope_at_zero_is_half_of_beta():
    x = torch.zeros(1, requires_grad=True)
    ESwish()(x).backward()
    assert x.grad.item() == pytest.approx(0.625)


@pytest.mark.parametrize("inplace", [False, True])
def test_eswish_gradient_is_that_of_its_formula(inplace):
    x = torch.linspace(-4, 4, 33, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: ESwish(inplace=inplace)(values.clone()), x)


def test_eswish_overwrites_its_input_only_in_place():
    x = torch.ones(3)
    ESwish(inplace=False)(x)
    assert x.tolist() == [1, 1, 1]
    assert ESwish(inplace=True)(x) is x


@pytest.mark.parametrize("part", [dict(type="DualEfficientNet", high_arch="b0"), None], ids=["backbone", "head"])
def test_no_activation_is_copied_for_its_gradient(part):
    module = EMBConv(in_channels=3, out_channels=8) if part is None else MODELS.build(part)
    with torch.profiler.profile() as profile:
        module(torch.zeros(1, 3, 32, 32))
    names = {event.key for event in profile.key_averages()}
    assert "aten::silu" in names
    assert not names & {"aten::silu_", "aten::clone"}


def test_eswish_is_registered():
    assert isinstance(MODELS.build(dict(type="ESwish", beta=1.5)), ESwish)


def plain_embconv(x, state, *, kernel_size):
    """E-MBConv from the paper's text, written with functional operations alone; Lite where there is no squeeze."""
    is_lite = "squeeze_excite.conv1.conv.weight" not in state

    def norm(x, name):
        statistics = (state[f"{name}.bn.{each}"] for each in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics, training=False, eps=1e-3)

    def activate(x):
        return x.clamp(0, 6) if is_lite else 1.25 * x * torch.sigmoid(x)

    hidden = activate(norm(F.conv2d(x, state["expand.conv.weight"]), "expand"))
    depthwise = F.conv2d(hidden, state["depthwise.conv.weight"], padding=kernel_size // 2, groups=hidden.shape[1])
    hidden = activate(norm(depthwise, "depthwise"))
    if is_lite:
        return norm(F.conv2d(hidden, state["project.conv.weight"]), "project")
    gate = hidden.mean(dim=(2, 3), keepdim=True)
    gate = activate(F.conv2d(gate, state["squeeze_excite.conv1.conv.weight"], state["squeeze_excite.conv1.conv.bias"]))
    gate = F.conv2d(gate, state["squeeze_excite.conv2.conv.weight"], state["squeeze_excite.conv2.conv.bias"])
    return norm(F.conv2d(hidden * torch.sigmoid(gate), state["project.conv.weight"]), "project")


@pytest.mark.parametrize("shape", [(2, 12, 8, 8), (1, 12, 5, 7), (3, 12, 1, 1)], ids=str)
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("of_lite", [{}, LITE], ids=["full", "lite"])
def test_embconv_equals_its_plain_formula(shape, kernel_size, of_lite):
    block = randomise(EMBConv(in_channels=12, out_channels=8, kernel_size=kernel_size, **of_lite)).eval()
    x = 20 * torch.randn(shape, generator=torch.Generator().manual_seed(1))  # beyond 6 behind the first norm
    torch.testing.assert_close(
        block(x), plain_embconv(x, block.state_dict(), kernel_size=kernel_size), rtol=1e-5, atol=1e-5
    )


def test_embconv_expands_and_squeezes_its_output_channels_not_its_input_s():
    block = EMBConv(in_channels=100, out_channels=8)
    assert block.expand.conv.weight.shape == (48, 100, 1, 1)
    assert block.depthwise.conv.weight.shape == (48, 1, 5, 5)
    assert block.squeeze_excite.conv1.conv.weight.shape == (2, 48, 1, 1)
    assert block.project.conv.weight.shape == (8, 48, 1, 1)


def test_embconv_convolutions_before_batch_norm_have_no_bias():
    block = EMBConv(in_channels=12, out_channels=8)
    assert [each.conv.bias for each in (block.expand, block.depthwise, block.project)] == [None] * 3
    assert block.squeeze_excite.conv1.conv.bias is not None
    assert block.squeeze_excite.conv2.conv.bias is not None


def test_embconv_has_no_residual_where_widths_agree():
    block = EMBConv(in_channels=8, out_channels=8).eval()
    nn.init.zeros_(block.project.conv.weight)
    assert block(torch.ones(1, 8, 4, 4)).eq(0).all()


def test_mobile_densenet_concatenates_newest_first():
    dense = MobileDenseNet(in_channels=5, channels=4)
    dense.first, dense.second, dense.third = (
        Recorder(lambda x, value=value: torch.full((x.shape[0], 4, *x.shape[2:]), value)) for value in (1.0, 2.0, 3.0)
    )
    x = torch.zeros(2, 5, 3, 6)
    out = dense(x)
    assert out.shape == (2, dense.out_channels, 3, 6)
    assert dense.out_channels == 12
    assert out[0, :, 0, 0].tolist() == [3] * 4 + [2] * 4 + [1] * 4
    assert dense.first.read[0] is x
    assert dense.second.read[0][0, :, 0, 0].tolist() == [1] * 4
    assert dense.third.read[0][0, :, 0, 0].tolist() == [2] * 4 + [1] * 4


def test_mobile_densenet_is_made_of_embconvs_of_the_right_widths():
    dense = MobileDenseNet(in_channels=5, channels=4)
    assert [each.expand.conv.in_channels for each in (dense.first, dense.second, dense.third)] == [5, 4, 8]
    assert [each.project.conv.out_channels for each in (dense.first, dense.second, dense.third)] == [4, 4, 4]


@pytest.mark.parametrize(("num_blocks", "expected"), [(1, 1.0), (2, 3.0), (3, 9.0), (4, 27.0)])
def test_detection_pass_adds_each_block_s_input_from_the_second_on(num_blocks, expected):
    detection = DetectionPass(in_channels=5, channels=4, num_blocks=num_blocks, num_maps=2)
    assert len(detection.blocks) == num_blocks
    # The first block gives ones, whatever it reads; each later one doubles, so that with its residual it triples.
    detection.blocks[0] = Recorder(lambda x: torch.ones(x.shape[0], 12, *x.shape[2:]))
    for index in range(1, num_blocks):
        detection.blocks[index] = Recorder(lambda x: 2 * x)
    out = detection(torch.full((1, 5, 2, 3), 100.0))
    assert out.shape == (1, 12, 2, 3)
    assert out.eq(expected).all()


def test_detection_pass_has_no_residual_around_its_first_block():
    detection = DetectionPass(in_channels=12, channels=4, num_blocks=1, num_maps=2)
    detection.blocks[0] = Recorder(torch.zeros_like)
    assert detection(torch.ones(1, 12, 2, 2)).eq(0).all()


def test_detection_pass_predicts_with_a_biased_pointwise_convolution():
    detection = DetectionPass(in_channels=5, channels=4, num_blocks=1, num_maps=28)
    assert detection.predict.weight.shape == (28, 12, 1, 1)
    assert detection.predict.bias.shape == (28,)


@pytest.mark.parametrize("norm_type", ["BN", "SyncBN"])
def test_norm_cfg_reaches_every_norm_and_keeps_the_tensors_names(norm_type):
    arguments = dict(in_channels=5, channels=4, num_blocks=2, num_maps=2)
    detection = DetectionPass(**arguments, norm_cfg=dict(type=norm_type, eps=1e-4, momentum=0.3))
    norms = [module for module in detection.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 2 * 3 * 3
    kind = {"BN": nn.BatchNorm2d, "SyncBN": nn.SyncBatchNorm}[norm_type]
    assert all(isinstance(norm, kind) for norm in norms)
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-4, 0.3)}
    assert detection.state_dict().keys() == DetectionPass(**arguments).state_dict().keys()


def test_default_norm_is_keras():
    norms = [m for m in EMBConv(in_channels=5, out_channels=4).modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    norm = norms[0].train()
    norm(torch.full((4, norm.num_features, 2, 2), 10.0))
    assert norm.running_mean.tolist() == pytest.approx([0.1] * norm.num_features)


def test_lite_settings_reach_every_block():
    detection = DetectionPass(in_channels=5, channels=4, num_blocks=2, num_maps=2, **LITE)
    full = DetectionPass(in_channels=5, channels=4, num_blocks=2, num_maps=2)
    kinds = [[type(module).__name__ for module in each.modules()] for each in (detection, full)]
    assert (kinds[0].count("ReLU6"), kinds[0].count("ESwish"), kinds[0].count("SELayer")) == (2 * 3 * 2, 0, 0)
    assert (kinds[1].count("ReLU6"), kinds[1].count("ESwish"), kinds[1].count("SELayer")) == (0, 2 * 3 * 3, 2 * 3)
    left_out = full.state_dict().keys() - detection.state_dict().keys()
    assert left_out == {name for name in full.state_dict() if ".squeeze_excite." in name}
