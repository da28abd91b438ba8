import numpy as np
import pytest
import torch
from mmengine.runner import load_state_dict
from mmpose.registry import MODELS

from efficientpose.models.criterion import PoseMaps
from efficientpose.models.head import explain_other_skeleton
from efficientpose.models.state_dicts import StateDictError

INPUT_SIZE = (48, 32)
DECODER = dict(type="FullResolutionHeatmap", input_size=INPUT_SIZE)
IN_CHANNELS = 8


@pytest.mark.parametrize("grid", [(4, 4), (5, 3), (1, 7)], ids=str)
def test_maps_have_the_shapes_they_should(make_head, features, grid):
    height, width = grid
    maps = make_head(decoder=None)(features(num=3, grid=grid))
    assert isinstance(maps, PoseMaps)
    assert maps.pafs.shape == (3, 28, height, width)
    assert [each.shape for each in maps.heatmaps] == [(3, 16, height, width)] * 2
    assert maps.full_heatmaps.shape == (3, 16, 8 * height, 8 * width)
    assert maps.final is maps.full_heatmaps


@pytest.mark.parametrize("num_heatmap_passes", [1, 2, 3])
@pytest.mark.parametrize("num_limbs", [0, 14])
@pytest.mark.parametrize("upsampling", ["bilinear", "transposed_conv", None])
def test_every_combination_gives_its_maps_losses_and_keypoints(
    make_head, features, samples, num_heatmap_passes, num_limbs, upsampling
):
    head = make_head(num_heatmap_passes=num_heatmap_passes, num_limbs=num_limbs, upsampling=upsampling)
    maps = head(features())
    assert (maps.pafs is None) == (num_limbs == 0)
    assert len(maps.heatmaps) == num_heatmap_passes
    assert (maps.full_heatmaps is None) == (upsampling is None)
    assert maps.final.shape == ((2, 16, 4, 6) if upsampling is None else (2, 16, 32, 48))
    expected = [f"loss_heatmaps_{number + 1}" for number in range(num_heatmap_passes)]
    expected += ["loss_pafs"] * (num_limbs > 0) + ["loss_full_heatmaps"] * (upsampling is not None)
    losses = head.loss(features(), samples())
    assert sorted(losses) == sorted(expected)
    assert all(loss.ndim == 0 and loss.isfinite() and loss > 0 for loss in losses.values())
    predictions = head.eval().predict(features(), samples())
    assert [each.keypoints.shape for each in predictions] == [(1, 16, 2)] * 2
    assert [each.keypoint_scores.shape for each in predictions] == [(1, 16)] * 2


@pytest.mark.parametrize("num_limbs", [0, 14])
@pytest.mark.parametrize("upsampling", ["bilinear", None])
def test_deployed_graph_gives_the_final_maps(make_head, features, num_limbs, upsampling):
    head = make_head(num_limbs=num_limbs, upsampling=upsampling).eval()
    torch.testing.assert_close(head.forward_deployed(features()), head(features()).final)


def test_each_later_pass_reads_the_previous_pass_s_features_then_the_cross_resolution_ones(make_head, features):
    head = make_head(num_heatmap_passes=3).eval()
    read, given = [], []
    for each in head.passes:
        each.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        each.register_forward_hook(lambda *arguments: given.append(arguments[-1]))
    (cross_resolution,) = features()
    head((cross_resolution,))
    assert len(read) == 4
    assert head.passes[0] is head.paf_pass
    assert read[0] is cross_resolution
    for number in (1, 2, 3):
        assert read[number].equal(torch.cat((given[number - 1], cross_resolution), dim=1))


def test_paf_features_are_fed_forward_and_predicted_maps_are_not(make_head, features):
    head = make_head().eval()
    before = head(features())
    for each in (head.paf_pass, head.heatmap_passes[0]):
        torch.nn.init.normal_(each.predict.weight, std=100)
    after = head(features())
    assert not after.pafs.equal(before.pafs)
    assert not after.heatmaps[0].equal(before.heatmaps[0])
    assert after.heatmaps[1].equal(before.heatmaps[1])
    assert after.full_heatmaps.equal(before.full_heatmaps)

    torch.nn.init.normal_(head.paf_pass.blocks[0].first.project.conv.weight, std=100)
    assert not head(features()).full_heatmaps.equal(after.full_heatmaps)


def test_final_loss_reaches_the_features_of_every_pass(make_head, features, samples):
    head = make_head()
    head.loss(features(), samples())["loss_full_heatmaps"].backward()
    for each in head.passes:
        assert each.blocks[0].first.expand.conv.weight.grad.abs().max() > 0
    assert [each.predict.weight.grad is None for each in head.passes] == [True, True, False]


def test_batch_equals_single(make_head, features):
    head = make_head().eval()
    (batch,) = features(num=3)
    together = head((batch,))
    for index in range(3):
        alone = head((batch[index : index + 1],))
        for got, expected in ((alone.pafs, together.pafs), (alone.full_heatmaps, together.full_heatmaps)):
            torch.testing.assert_close(got[0], expected[index], rtol=1e-4, atol=1e-6)


def test_visibility_with_mmpose_s_column_of_weights_counts_the_same(make_head, features, samples):
    head, batch = make_head(), samples(unlabelled=(2, 9))
    expected = head.loss(features(), batch)
    for each in batch:
        visible = each.gt_instances.keypoints_visible
        each.gt_instances.keypoints_visible = np.stack([visible, np.ones_like(visible)], axis=-1)
    got = head.loss(features(), batch)
    assert all(got[key].equal(loss) for key, loss in expected.items())


def test_heatmaps_come_with_the_keypoints_when_asked_for(make_head, features, samples):
    head = make_head().eval()
    predictions, fields = head.predict(features(), samples(), test_cfg=dict(output_heatmaps=True))
    maps = head(features()).full_heatmaps
    for index in range(2):
        torch.testing.assert_close(fields[index].heatmaps, maps[index])
        keypoints, scores = head.decoder.decode(maps[index].detach().numpy())
        np.testing.assert_array_equal(predictions[index].keypoints, keypoints)
        np.testing.assert_allclose(predictions[index].keypoint_scores, scores, rtol=1e-5)


@pytest.mark.parametrize("flip_test", [False, True])
def test_sparse_decoding_predicts_the_same_without_upsampling(make_head, features, samples, flip_test):
    head = make_head().eval()
    torch.nn.init.normal_(head.heatmap_passes[-1].predict.weight, std=0.1)
    feats = [features(), (features()[0].roll(1, dims=1),)] if flip_test else features()
    calls = []
    head.upsampler.register_forward_hook(lambda *_: calls.append(1))
    test_cfg = dict(flip_test=flip_test)
    assert head.decoder.sparse
    found = head.predict(feats, samples(), test_cfg=test_cfg)
    assert not calls
    head.decoder.sparse = False
    expected = head.predict(feats, samples(), test_cfg=test_cfg)
    assert len(calls) == 1 + flip_test
    for got, dense in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got.keypoints, dense.keypoints)
        np.testing.assert_allclose(got.keypoint_scores, dense.keypoint_scores, rtol=1e-5)
        assert np.ptp(got.keypoints[0], axis=0).min() > 8  # the keypoints are not all in one place


@pytest.mark.parametrize("upsampling", ["transposed_conv", None])
def test_maps_that_are_not_upsampled_bilinearly_are_not_decoded_sparsely(make_head, upsampling):
    assert make_head().decodes_sparsely
    assert not make_head(upsampling=upsampling).decodes_sparsely
    assert not make_head(decoder=DECODER | dict(sparse=False)).decodes_sparsely


def test_flip_test_averages_with_the_mirrored_crop_s_swapped_maps(make_head, features, samples):
    head = make_head().eval()
    straight, mirrored = features(), (features()[0].roll(1, dims=1),)
    test_cfg = dict(flip_test=True, output_heatmaps=True)
    _, fields = head.predict([straight, mirrored], samples(), test_cfg=test_cfg)
    maps, other = head(straight).full_heatmaps, head(mirrored).full_heatmaps
    # Channel 0 is the right ankle, 5 the left one; 6 is the pelvis.
    for channel, swapped in ((0, 5), (5, 0), (6, 6), (15, 10)):
        expected = (maps[:, channel] + other[:, swapped].flip(-1)) / 2
        got = torch.stack([each.heatmaps[channel] for each in fields])
        torch.testing.assert_close(got, expected)


def test_keypoints_are_predicted_under_bfloat16_autocast(make_head, features, samples):
    head = make_head().eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        predictions = head.predict(features(), samples())
    assert np.isfinite(predictions[0].keypoints).all()


def test_crop_of_another_size_than_the_decoder_s_is_an_error(make_head, features, samples):
    head = make_head(decoder=dict(type="FullResolutionHeatmap", input_size=(96, 64))).eval()
    with pytest.raises(ValueError, match=r"96, 64"):
        head.predict(features(), samples())


def test_a_body_without_limbs_needs_no_limbs_in_the_decoder(make_head, features, samples):
    head = make_head(num_keypoints=3, num_limbs=0)
    assert sorted(head.loss(features(), samples(num_keypoints=3))) == [
        "loss_full_heatmaps", "loss_heatmaps_1", "loss_heatmaps_2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [dict(in_channels=0), dict(channels=3), dict(num_blocks=0), dict(num_keypoints=0), dict(num_heatmap_passes=0),
     dict(num_limbs=-1)],
    ids=str,
)  # fmt: skip
def test_counts_that_are_too_small(make_head, arguments):
    with pytest.raises(ValueError, match=r"must be at least 1, channels at least 4 and num_limbs at least 0, got"):
        make_head(**arguments)


def test_unknown_upsampling(make_head):
    message = r"upsampling must be \"bilinear\", \"transposed_conv\" or None, got 'nearest'"
    with pytest.raises(ValueError, match=message):
        make_head(upsampling="nearest")


def test_decoder_with_another_number_of_limbs(make_head):
    with pytest.raises(ValueError, match="num_limbs is 13, but the decoder has 14 limbs"):
        make_head(num_limbs=13)


def test_loss_without_decoder(make_head, features, samples):
    with pytest.raises(RuntimeError, match="the loss needs targets: give EfficientPoseHead a decoder"):
        make_head(decoder=None).loss(features(), samples())


def test_prediction_without_decoder(make_head, features, samples):
    with pytest.raises(RuntimeError, match="decoder has not been set"):
        make_head(decoder=None).predict(features(), samples())


def test_samples_without_keypoints_in_the_input_frame(make_head, features, samples):
    batch = samples()
    for each in batch:
        del each.gt_instances.transformed_keypoints
    with pytest.raises(ValueError, match=r"must end in PackPoseInputs\(pack_transformed=True\)"):
        make_head().loss(features(), batch)


def test_misspelt_argument_fails():
    head = dict(type="EfficientPoseHead", in_channels=8, channels=4, num_blocks=1)
    with pytest.raises(TypeError, match="EfficientPoseHead has no argument 'num_keypointz'"):
        MODELS.build(head | dict(num_keypointz=3))
    with pytest.raises(TypeError, match="paf_weigth"):
        MODELS.build(head | dict(losses=dict(paf_weigth=3)))


@pytest.mark.parametrize(
    ("argument", "replacement"),
    [("loss", "heatmap_loss"), ("relative_loss", "relative"), ("keypoint_weights", "keypoint_weights")],
)
def test_arguments_from_before_there_was_losses_are_told_their_replacement(make_head, argument, replacement):
    with pytest.raises(TypeError, match=rf"no argument '{argument}': it is losses\.{replacement} now"):
        make_head(**{argument: None})


def test_lite_settings_reach_every_pass(make_head):
    head = make_head(act_cfg=dict(type="ReLU6"), with_squeeze_excite=False)
    for each in head.passes:
        kinds = [type(module).__name__ for module in each.modules()]
        assert (kinds.count("ReLU6"), kinds.count("ESwish"), kinds.count("SELayer")) == (3 * 2, 0, 0)


OTHER_SKELETON = dict(num_keypoints=14, num_limbs=13, decoder=None)


def test_a_checkpoint_of_other_keypoints_and_limbs_is_refused_with_both_counts(make_head):
    head, state = make_head(), make_head(**OTHER_SKELETON).state_dict()
    before = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    with pytest.raises(StateDictError) as refusal:
        load_state_dict(head, state)
    message = str(refusal.value)
    assert "does not fit EfficientPoseHead: 6 of " in message
    assert (
        "\nit predicts 14 keypoints, this config 16; it predicts 26 part affinity channels, this config 28." in message
    )
    assert "PretrainedKeypoints" in message
    assert "another variant" not in message
    assert all(tensor.equal(before[name]) for name, tensor in head.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (dict(num_keypoints=14), "it predicts 14 keypoints, this config 16. Give"),
        (dict(num_limbs=13), "it predicts 26 part affinity channels, this config 28. Give"),
    ],
    ids=str,
)
@pytest.mark.parametrize("upsampling", ["bilinear", "transposed_conv"])
def test_only_what_differs_is_counted(make_head, settings, expected, upsampling):
    offered = make_head(decoder=None, upsampling=upsampling, **settings).state_dict()
    message = explain_other_skeleton(offered, make_head(upsampling=upsampling).state_dict())
    assert message.startswith(expected)
    assert message.count("it predicts") == 1


@pytest.mark.parametrize(
    "settings",
    [dict(channels=8), dict(channels=8) | OTHER_SKELETON, dict(num_limbs=0), dict(num_heatmap_passes=3)],
    ids=str,
)
def test_where_more_differs_nothing_is_said_of_the_skeleton(make_head, settings):
    head, state = make_head(), make_head(**settings).state_dict()
    assert explain_other_skeleton(state, head.state_dict()) is None
    with pytest.raises(StateDictError, match=r"Is it of another variant\?"):
        load_state_dict(head, state)


def test_other_keypoints_than_the_datasets_are_named_in_training_and_test(make_head, features, samples):
    crops = samples(num_keypoints=17)
    for crop in crops:
        crop.gt_instances.keypoints = crop.gt_instances.transformed_keypoints
    message = r"num_keypoints=16, but the dataset has 17: .*KeypointConverter"
    with pytest.raises(ValueError, match=message):
        make_head().loss(features(), crops)
    with pytest.raises(ValueError, match=message):
        make_head().predict(features(), crops)
