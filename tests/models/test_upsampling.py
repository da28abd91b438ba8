import pytest
import torch
from torch.nn import functional as F

from efficientpose.models.head import EfficientPoseHead
from efficientpose.models.upsampling import BilinearUpsampler, TransposedConvUpsampler, bilinear_kernel


def impulse(size, at):
    """One map (1, 1, size, size) that is 1 at cell (at, at) and 0 elsewhere."""
    maps = torch.zeros(1, 1, size, size)
    maps[..., at, at] = 1
    return maps


def test_kernel_by_hand():
    sixteenths = [[1, 3, 3, 1], [3, 9, 9, 3], [3, 9, 9, 3], [1, 3, 3, 1]]
    assert (16 * bilinear_kernel()).tolist() == sixteenths


@pytest.mark.parametrize("upsampler", [BilinearUpsampler, TransposedConvUpsampler])
def test_one_doubling_by_hand(upsampler):
    # Along the row: 3/4·4, 3/4·4 + 1/4·8, 1/4·4 + 3/4·8, 3/4·8. The single row loses a quarter to the zero border.
    arguments = {} if upsampler is BilinearUpsampler else dict(num_maps=1)
    out = upsampler(**arguments, num_doublings=1)(torch.tensor([[[[4.0, 8.0]]]]))
    assert out.tolist() == [[[[2.25, 3.75, 5.25, 4.5]] * 2]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (8, 8), (7, 7), (6, 9), (28, 28), (46, 32)], ids=str)
@pytest.mark.parametrize("num_doublings", [0, 1, 2, 3])
def test_fixed_equals_dense_bilinear_convolution_up_to_the_border(shape, num_doublings):
    maps = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    kernel = torch.zeros(3, 3, 4, 4)
    kernel[range(3), range(3)] = torch.outer(*[torch.tensor([0.25, 0.75, 0.75, 0.25])] * 2)
    expected = maps
    for _ in range(num_doublings):
        expected = F.conv_transpose2d(expected, kernel, stride=2, padding=1)
    scale = 2**num_doublings
    assert expected.shape == (2, 3, shape[0] * scale, shape[1] * scale)
    torch.testing.assert_close(BilinearUpsampler(num_doublings=num_doublings)(maps), expected, rtol=0, atol=1e-6)
    dense = TransposedConvUpsampler(num_maps=3, num_doublings=num_doublings)
    torch.testing.assert_close(dense(maps), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", [2, 3, 5])
def test_cell_peaks_symmetrically_at_eight_times_itself_plus_three_and_a_half(cell):
    row = BilinearUpsampler()(impulse(9, cell))[0, 0, 8 * cell + 3]
    left, right = row[: 8 * cell + 4].flip(0), row[8 * cell + 4 :]
    shared = min(len(left), len(right))
    torch.testing.assert_close(left[:shared], right[:shared], rtol=0, atol=1e-7)
    # Along one axis 1 becomes 3/4, then 3/4·3/4 + 1/4·3/4 = 3/4 again and again.
    assert row[8 * cell + 3 : 8 * cell + 5].tolist() == pytest.approx([0.5625, 0.5625])
    assert row.max() == row[8 * cell + 3]
    assert left[:shared].diff().le(0).all()


def test_cell_spreads_over_less_than_two_cells_either_way():
    out = BilinearUpsampler()(impulse(9, 4))[0, 0]
    touched = out.amax(dim=0).nonzero().flatten()
    # One doubling reaches 1 beyond a cell's own 2 pixels, the next 2·1 + 1 = 3 beyond 4, the last 2·3 + 1 = 7 beyond 8.
    assert (touched.min().item(), touched.max().item()) == (8 * 4 - 7, 8 * 4 + 7 + 7)


def test_maps_are_not_mixed():
    maps = torch.zeros(1, 3, 4, 4)
    maps[:, 1] = 1
    for upsampler in (BilinearUpsampler(), TransposedConvUpsampler(num_maps=3)):
        out = upsampler(maps)
        assert out[:, 1].gt(0).all()
        assert out[:, [0, 2]].eq(0).all()


def test_mirrored_maps_give_mirrored_output():
    maps = torch.randn(1, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    upsampler = BilinearUpsampler()
    torch.testing.assert_close(upsampler(maps.flip(-1)), upsampler(maps).flip(-1), rtol=0, atol=1e-6)


def test_fixed_upsampler_has_no_tensors_and_passes_gradients():
    upsampler = BilinearUpsampler()
    assert upsampler.state_dict() == {}
    maps = torch.zeros(1, 1, 9, 9, requires_grad=True)
    upsampler(maps).sum().backward()
    # Inside, all of a cell's 8 × 8 pixels' worth arrives; at the border a part falls outside.
    assert maps.grad[0, 0, 4, 4].item() == pytest.approx(64)
    assert 0 < maps.grad[0, 0, 0, 0].item() < 64


def test_dense_upsampler_has_the_released_number_of_parameters():
    upsampler = TransposedConvUpsampler(num_maps=16)
    assert sum(p.numel() for p in upsampler.parameters()) == 3 * (16 * 16 * 16 + 16)
    assert all(p.requires_grad for p in upsampler.parameters())


def test_dense_upsampler_in_a_head_is_bilinear_after_init_weights():
    head = EfficientPoseHead(in_channels=8, channels=4, num_blocks=1, upsampling="transposed_conv")
    for parameter in head.upsampler.parameters():
        torch.nn.init.ones_(parameter)
    head.init_weights()
    maps = torch.randn(1, 16, 4, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(head.upsampler(maps), BilinearUpsampler()(maps), rtol=0, atol=1e-6)


def test_dense_upsampler_learns_to_mix_maps():
    upsampler = TransposedConvUpsampler(num_maps=2)
    maps = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(upsampler.parameters(), lr=1e-3)
    upsampler(maps).square().mean().backward()
    optimizer.step()
    for stage in upsampler.stages:
        assert stage.weight.grad.isfinite().all()
        assert stage.weight[0, 1].abs().max() > 0
        assert stage.bias.abs().max() > 0
