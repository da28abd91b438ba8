"""The head's losses against values worked out beside them."""

import numpy as np
import pytest
import torch


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
    head = make_head(relative_loss=False).eval()
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
    plain = make_head(relative_loss=False).loss(features(), samples())
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
    scaled = make_head(paf_weight=2.0, heatmap_weight=3.0, full_heatmap_weight=5.0).loss(features(), samples())
    ratios = {key: (scaled[key] / plain[key]).item() for key in plain}
    assert ratios == pytest.approx(dict(loss_pafs=2, loss_heatmaps_1=3, loss_heatmaps_2=3, loss_full_heatmaps=5))


def test_passes_are_weighted_one_by_one(make_head, features, samples):
    settings = dict(num_heatmap_passes=3)
    plain = make_head(**settings).loss(features(), samples())
    scaled = make_head(**settings, heatmap_weight=[0.5, 0.0, 3.0]).loss(features(), samples())
    ratios = {key: (scaled[key] / plain[key]).item() for key in plain}
    by_pass = dict(loss_heatmaps_1=0.5, loss_heatmaps_2=0, loss_heatmaps_3=3)
    assert ratios == pytest.approx(dict(loss_pafs=1, loss_full_heatmaps=1) | by_pass)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 1.0, 1.0], "heatmap_weight has 3 numbers, but the head has 2 heatmap passes: give one for each pass"),
        ([], "heatmap_weight has 0 numbers, but the head has 2"),
        ([1.0, -1.0], r"at least 0 and finite, got \[1.0, -1.0\]"),
        (np.inf, "at least 0 and finite, got inf"),
    ],
    ids=str,
)
def test_pass_weights_that_cannot_be_meant(make_head, weights, message):
    with pytest.raises(ValueError, match=message):
        make_head(heatmap_weight=weights)


def test_keypoints_are_weighted_one_by_one(make_head, features, samples):
    weights = [0.0, 2.0] + [1.0] * 14
    weighted = make_head(keypoint_weights=weights).loss(features(), samples())
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
        make_head(keypoint_weights=weights)


def test_hard_keypoint_mining_keeps_the_largest_losses(make_head, features, samples):
    ohkm = dict(type="KeypointOHKMMSELoss", use_target_weight=True, topk=4)
    mined = make_head(loss=ohkm, relative_loss=False).eval()
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
