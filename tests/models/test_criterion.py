"""The losses of every output against values worked out beside them; the one without upsampling against a dense one."""

import numpy as np
import pytest
import torch

from efficientpose.codecs.targets import SeparableMaps, separate_heatmaps
from efficientpose.models.criterion import _find_axis, compute_upsampled_errors
from efficientpose.models.upsampling import BilinearUpsampler


@pytest.fixture
def loss_and_gradients(features):
    """Compute a head's losses on a batch, and the gradients of their sum."""

    def compute(head, batch):
        head.zero_grad()
        losses = head.loss(features(), batch)
        sum(losses.values()).backward()
        return losses, {name: p.grad.clone() for name, p in head.named_parameters() if p.grad is not None}

    return compute


def test_losses_are_weighted_mean_squares_against_the_codec_s_targets(make_head, features, samples):
    head = make_head(losses=dict(relative=False)).eval()
    batch = samples(unlabelled=(3, 9))
    maps, losses = head(features()), head.loss(features(), batch)
    keypoints = np.concatenate([each.gt_instances.transformed_keypoints for each in batch])
    labelled = np.concatenate([each.gt_instances.keypoints_visible for each in batch])
    target = head.decoder.render(torch.from_numpy(keypoints).float(), torch.from_numpy(labelled))

    def weighted_mean_square(predicted, wanted, weights):
        total = 0.0
        for person in range(predicted.shape[0]):
            for channel in range(predicted.shape[1]):
                squares = (predicted[person, channel] - wanted[person, channel]).square()
                total += weights[person, channel].item() * squares.sum().item()
        return total / predicted.numel()

    paf_weights = torch.stack([target.limb_weights[:, channel // 2] for channel in range(28)], dim=1)
    expected = dict(
        loss_pafs=weighted_mean_square(maps.pafs, target.pafs, paf_weights),
        loss_heatmaps_1=weighted_mean_square(maps.heatmaps[0], target.heatmaps, target.keypoint_weights),
        loss_heatmaps_2=weighted_mean_square(maps.heatmaps[1], target.heatmaps, target.keypoint_weights),
        loss_full_heatmaps=weighted_mean_square(maps.full_heatmaps, target.full_heatmaps, target.keypoint_weights),
    )
    assert {key: loss.item() for key, loss in losses.items()} == pytest.approx(expected, rel=1e-4)
    assert target.keypoint_weights.sum() < 32


@pytest.mark.parametrize("sigma", [0.06, 0.12])
def test_an_empty_heatmap_has_a_relative_loss_of_one_at_every_sigma(make_head, features, samples, sigma):
    head = make_head().eval()
    head.decoder.sigma = sigma
    batch = samples()
    width, height = head.decoder.input_size
    for each in batch:
        each.gt_instances.transformed_keypoints[:] = (width / 2, height / 2)
    for parameter in head.parameters():
        parameter.data.zero_()
    losses = head.loss(features(), batch)
    assert losses["loss_full_heatmaps"].item() == pytest.approx(1, rel=0.01)


def test_relative_losses_are_squared_errors_over_the_targets_energy(make_head, features, samples):
    head = make_head()
    plain = make_head(losses=dict(relative=False)).loss(features(), samples())
    relative = head.loss(features(), samples())
    # On 48 x 32 pixels: a sigma of 0.05 x 48 = 2.4; limbs of 0.2 x 48 = 9.6, their bands 16 wide.
    heatmap_energy = np.pi * 2.4**2 / 2 / (48 * 32)
    paf_energy = 0.5 * 9.6 * 16 / (48 * 32)
    expected = dict(
        loss_pafs=1 / paf_energy,
        loss_heatmaps_1=1 / heatmap_energy,
        loss_heatmaps_2=1 / heatmap_energy,
        loss_full_heatmaps=1 / heatmap_energy,
    )
    assert {key: (relative[key] / plain[key]).item() for key in plain} == pytest.approx(expected, rel=1e-4)


def test_weights_scale_their_losses(make_head, features, samples):
    plain = make_head().loss(features(), samples())
    scaled = make_head(losses=dict(paf_weight=2.0, heatmap_weight=3.0, full_heatmap_weight=5.0)).loss(
        features(), samples()
    )
    ratios = {key: (scaled[key] / plain[key]).item() for key in plain}
    assert ratios == pytest.approx(dict(loss_pafs=2, loss_heatmaps_1=3, loss_heatmaps_2=3, loss_full_heatmaps=5))


def test_passes_are_weighted_one_by_one(make_head, features, samples):
    settings = dict(num_heatmap_passes=3)
    plain = make_head(**settings).loss(features(), samples())
    scaled = make_head(**settings, losses=dict(heatmap_weight=[0.5, 0.0, 3.0])).loss(features(), samples())
    ratios = {key: (scaled[key] / plain[key]).item() for key in plain}
    by_pass = dict(loss_heatmaps_1=0.5, loss_heatmaps_2=0, loss_heatmaps_3=3)
    assert ratios == pytest.approx(dict(loss_pafs=1, loss_full_heatmaps=1) | by_pass)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            [1.0, 1.0, 1.0],
            r"heatmap_weight must be 2 finite numbers.* or a single number for all, got \[1.0, 1.0, 1.0\]",
        ),
        ([], r"heatmap_weight must be 2 finite numbers .*, got \[\]"),
        ([1.0, -1.0], r"of at least 0, .*, got \[1.0, -1.0\]"),
        (np.inf, r"must be 2 finite numbers .*, got \[inf, inf\]"),
    ],
    ids=str,
)
def test_pass_weights_that_cannot_be_meant(make_head, weights, message):
    with pytest.raises(ValueError, match=message):
        make_head(losses=dict(heatmap_weight=weights))


def test_keypoints_are_weighted_one_by_one(make_head, features, samples):
    weights = [0.0, 2.0] + [1.0] * 14
    weighted = make_head(losses=dict(keypoint_weights=weights)).loss(features(), samples())
    only = {
        key: make_head().loss(features(), samples(unlabelled=set(range(16)) - {joint}))
        for joint, key in ((0, 0), (1, 1))
    }
    plain = make_head().loss(features(), samples())
    for key in ("loss_heatmaps_1", "loss_heatmaps_2", "loss_full_heatmaps"):
        # A loss is a sum over joints: the first one's share goes, the second one's counts twice.
        torch.testing.assert_close(weighted[key], plain[key] - only[0][key] + only[1][key])
    assert weighted["loss_pafs"].equal(plain["loss_pafs"])
    assert "keypoint_weights" not in make_head().state_dict()


@pytest.mark.parametrize("weights", [[1.0] * 15, [-1.0] + [1.0] * 15, [np.nan] * 16, [0.0] * 16], ids=str)
def test_keypoint_weights_that_cannot_be_meant(make_head, weights):
    with pytest.raises(ValueError, match="keypoint_weights must be 16 numbers"):
        make_head(losses=dict(keypoint_weights=weights))


def test_hard_keypoint_mining_keeps_the_largest_losses(make_head, features, samples):
    ohkm = dict(type="KeypointOHKMMSELoss", use_target_weight=True, topk=4)
    mined = make_head(losses=dict(heatmap_loss=ohkm, relative=False)).eval()
    head, batch = make_head().eval(), samples()
    maps = head(features())
    keypoints = np.concatenate([each.gt_instances.transformed_keypoints for each in batch])
    target = head.decoder.render(torch.from_numpy(keypoints).float(), torch.ones(2, 16))
    per_keypoint = (maps.heatmaps[1] - target.heatmaps).square().mean(dim=(2, 3)) * target.keypoint_weights
    hardest = per_keypoint.sort(dim=1, descending=True).values[:, :4]
    torch.testing.assert_close(mined.loss(features(), batch)["loss_heatmaps_2"], hardest.mean())


@pytest.mark.parametrize("place", [(np.nan, np.nan), (np.inf, 0.0), (-1e6, 5.0), (20.0, 20.0)], ids=str)
def test_unlabelled_joints_carry_no_loss_and_no_gradient(make_head, samples, loss_and_gradients, place):
    head = make_head()
    batch = samples(unlabelled=(2, 9))
    losses, gradients = loss_and_gradients(head, batch)
    for each in batch:
        each.gt_instances.transformed_keypoints[0, [2, 9]] = place
    moved_losses, moved_gradients = loss_and_gradients(head, batch)
    assert all(loss.isfinite() for loss in losses.values())
    assert all(moved_losses[key].equal(loss) for key, loss in losses.items())
    assert all(moved_gradients[name].equal(gradient) for name, gradient in gradients.items())


def test_labelled_joints_carry_loss(make_head, samples, loss_and_gradients):
    head = make_head()
    batch = samples()
    losses, _ = loss_and_gradients(head, batch)
    batch[0].gt_instances.transformed_keypoints[0, 2] = (20.0, 20.0)
    moved, _ = loss_and_gradients(head, batch)
    assert all(not moved[key].equal(loss) for key, loss in losses.items())


def test_nobody_labelled_is_a_loss_of_zero(make_head, samples, loss_and_gradients):
    losses, gradients = loss_and_gradients(make_head(), samples(unlabelled=range(16)))
    assert all(loss == 0 for loss in losses.values())
    assert all(gradient.eq(0).all() for gradient in gradients.values())


DENSE_LOSSES = [
    dict(losses=dict(heatmap_loss=dict(type="KeypointOHKMMSELoss", use_target_weight=True, topk=4))),
    dict(losses=dict(heatmap_loss=dict(type="KeypointMSELoss", use_target_weight=True, skip_empty_channel=True))),
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
    found, expected = compute_upsampled_errors(maps, target), dense_mean_squares(maps, target)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), maps)
    (dense_gradient,) = torch.autograd.grad(expected.sum(), maps)
    torch.testing.assert_close(gradient, dense_gradient, rtol=1e-5, atol=1e-7)


def test_a_map_of_one_cell_by_hand():
    """Doubled three times with zeros around it, a cell becomes products of (27, 39, 45, 48, 48, 45, 39, 27) / 64."""
    squares = 2 * (27**2 + 39**2 + 45**2 + 48**2) / 64**2
    nothing = SeparableMaps(columns=torch.zeros(1, 1, 8), rows=torch.zeros(1, 1, 8))
    found = compute_upsampled_errors(torch.full((1, 1, 1, 1), 2.0), nothing)
    assert found.item() == pytest.approx(2**2 * squares**2 / 64)


def test_what_is_drawn_exactly_has_no_loss():
    """A target that is one cell's own upsampled map, halved, is hit by a cell of one half."""
    cell = torch.zeros(1, 1, 4, 6)
    cell[0, 0, 2, 3] = 1
    full = BilinearUpsampler()(cell)[0, 0]
    row, column = full.sum(0), full.sum(1) / full.sum()
    target = SeparableMaps(columns=column[None, None] / 2, rows=row[None, None])
    assert compute_upsampled_errors(cell / 2, target).item() == pytest.approx(0, abs=1e-8)
    assert compute_upsampled_errors(cell, target).item() == pytest.approx((full / 2).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_maps_are_compared_in_single(keypoints, dtype):
    target = separate_heatmaps(keypoints, map_shape=(32, 48), stride=1, sigma=2.4)
    maps = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = compute_upsampled_errors(maps, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), dense_mean_squares(maps, target), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, dict(losses=dict(keypoint_weights=[0.0, 2.0] + [1.0] * 14))], ids=str)
def test_a_head_s_loss_and_gradients_are_those_of_its_maps(make_head, features, samples, settings):
    head = make_head(**settings).eval()
    batch = samples(unlabelled=(3, 9))
    maps = head(features())
    dense = head.criterion(maps, head.draw_targets(maps, batch))
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
    expected = head.criterion.heatmap_loss(maps.full_heatmaps, targets.full_heatmaps, targets.keypoint_weights)
    scale = head.decoder.heatmap_energy
    torch.testing.assert_close(head.loss(features(), samples())["loss_full_heatmaps"] * scale, expected)


def test_a_first_call_in_inference_mode_leaves_training_possible(keypoints):
    target = separate_heatmaps(keypoints, map_shape=(40, 56), stride=1, sigma=2.0)
    maps = torch.ones(2, 5, 5, 7, requires_grad=True)
    _find_axis.cache_clear()
    with torch.inference_mode():
        compute_upsampled_errors(maps, target)
    compute_upsampled_errors(maps, target).sum().backward()
    assert maps.grad.abs().sum() > 0


def test_maps_that_are_not_upsampled_have_no_loss_against_dense_targets(make_head, features, samples):
    """Two people: a dense target of them must not be taken for columns and rows."""
    with_all = make_head()
    targets = with_all.draw_targets(with_all(features()), samples())
    head = make_head(upsampling=None)
    assert "loss_full_heatmaps" not in head.criterion(head(features()), targets)
