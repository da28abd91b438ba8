"""The loss of upsampled heatmaps without upsampling, against the dense one and against numbers worked out by hand."""

import pytest
import torch

from efficientpose.codecs.targets import SeparableMaps, separate_heatmaps
from efficientpose.models.separable_loss import _find_axis, find_mean_squares
from efficientpose.models.upsampling import BilinearUpsampler

DENSE_LOSSES = [
    dict(loss=dict(type="KeypointOHKMMSELoss", use_target_weight=True, topk=4)),
    dict(loss=dict(type="KeypointMSELoss", use_target_weight=True, skip_empty_channel=True)),
    dict(upsampling="transposed_conv"),
]


@pytest.fixture
def keypoints():
    """Inside, between pixels, on borders and corners, outside and far away; (2, 5, 2), of maps of 32 x 48."""
    inside = [(20.0, 11.0), (31.3, 7.8), (0.0, 0.0), (47.0, 31.0), (46.6, 0.2)]
    beyond = [(-0.4, 15.0), (-9.0, 40.0), (24.0, 31.4), (1e4, -1e4), (47.4, 31.4)]
    return torch.tensor([inside, beyond])


def dense_mean_squares(heatmaps, target):
    """By upsampling in double precision and a plain difference."""
    return (BilinearUpsampler()(heatmaps.double()) - target.multiply().double()).square().mean(dim=(2, 3))


@pytest.mark.parametrize("sigma", [1.0, 2.4, 7.2, 100.0])
def test_values_and_gradients_are_those_of_the_dense_loss(keypoints, sigma):
    target = separate_heatmaps(keypoints, map_shape=(32, 48), stride=1, sigma=sigma)
    maps = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found, expected = find_mean_squares(maps, target), dense_mean_squares(maps, target)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), maps)
    (dense_gradient,) = torch.autograd.grad(expected.sum(), maps)
    torch.testing.assert_close(gradient, dense_gradient, rtol=1e-5, atol=1e-7)


def test_a_map_of_one_cell_by_hand():
    """Doubled three times with zeros around it, a cell becomes products of (27, 39, 45, 48, 48, 45, 39, 27) / 64."""
    squares = 2 * (27**2 + 39**2 + 45**2 + 48**2) / 64**2
    nothing = SeparableMaps(columns=torch.zeros(1, 1, 8), rows=torch.zeros(1, 1, 8))
    found = find_mean_squares(torch.full((1, 1, 1, 1), 2.0), nothing)
    assert found.item() == pytest.approx(2**2 * squares**2 / 64)


def test_what_is_drawn_exactly_has_no_loss():
    """A target that is one cell's own upsampled map, halved, is hit by a cell of one half."""
    cell = torch.zeros(1, 1, 4, 6)
    cell[0, 0, 2, 3] = 1
    full = BilinearUpsampler()(cell)[0, 0]
    row, column = full.sum(0), full.sum(1) / full.sum()
    target = SeparableMaps(columns=column[None, None] / 2, rows=row[None, None])
    assert find_mean_squares(cell / 2, target).item() == pytest.approx(0, abs=1e-8)
    assert find_mean_squares(cell, target).item() == pytest.approx((full / 2).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_maps_are_compared_in_single(keypoints, dtype):
    target = separate_heatmaps(keypoints, map_shape=(32, 48), stride=1, sigma=2.4)
    maps = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = find_mean_squares(maps, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), dense_mean_squares(maps, target), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, dict(keypoint_weights=[0.0, 2.0] + [1.0] * 14)], ids=str)
def test_a_head_s_loss_and_gradients_are_those_of_its_maps(make_head, features, samples, settings):
    head = make_head(**settings).eval()
    batch = samples(unlabelled=(3, 9))
    maps = head(features())
    dense = head.compare(maps, head.draw_targets(maps, batch))
    found = head.loss(features(), batch)
    assert found.keys() == dense.keys()
    for name, loss in dense.items():
        torch.testing.assert_close(found[name], loss, rtol=1e-5, atol=1e-6)
    gradients = [
        torch.autograd.grad(each["loss_full_heatmaps"], head.heatmap_passes[-1].predict.weight)[0]
        for each in (found, dense)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)


def test_nothing_is_upsampled_or_drawn_at_full_resolution(make_head, features, samples, monkeypatch):
    head = make_head()

    def refuse(*_):
        raise AssertionError("upsampled")

    monkeypatch.setattr(head.upsampler, "forward", refuse)
    multiply = SeparableMaps.multiply
    monkeypatch.setattr(
        SeparableMaps, "multiply", lambda maps: multiply(maps) if maps.rows.shape[-1] == 6 else refuse()
    )
    assert head.loss(features(), samples())["loss_full_heatmaps"] > 0


@pytest.mark.parametrize("settings", DENSE_LOSSES, ids=str)
def test_other_losses_and_upsamplings_stay_dense(make_head, features, samples, settings):
    head = make_head(**settings).eval()
    assert make_head().learns_separably
    assert not head.learns_separably
    maps = head(features())
    targets = head.draw_targets(maps, samples())
    expected = head.loss_module(maps.full_heatmaps, targets.full_heatmaps, targets.keypoint_weights)
    scale = head.decoder.heatmap_energy
    torch.testing.assert_close(head.loss(features(), samples())["loss_full_heatmaps"] * scale, expected)


def test_a_first_call_in_inference_mode_leaves_training_possible(keypoints):
    target = separate_heatmaps(keypoints, map_shape=(40, 56), stride=1, sigma=2.0)
    maps = torch.ones(2, 5, 5, 7, requires_grad=True)
    _find_axis.cache_clear()
    with torch.inference_mode():
        find_mean_squares(maps, target)
    find_mean_squares(maps, target).sum().backward()
    assert maps.grad.abs().sum() > 0


def test_maps_that_are_not_upsampled_have_no_loss_against_dense_targets(make_head, features, samples):
    """Two people: a dense target of them must not be taken for columns and rows."""
    with_all = make_head()
    targets = with_all.draw_targets(with_all(features()), samples())
    head = make_head(upsampling=None)
    assert "loss_full_heatmaps" not in head.compare(head(features()), targets)
