import json

import h5py
import numpy as np
import pytest
import torch

from efficientpose.models.build import build_network
from efficientpose.weights.checkpoint import load_checkpoint
from efficientpose.weights.convert import ConversionError, convert_file, convert_layers
from efficientpose.weights.released import read_released

# released indices of our right_ankle, head_top and left_wrist, and of our limb right_knee → right_ankle
RIGHT_ANKLE, HEAD_TOP, LEFT_WRIST = 12, 0, 8
RIGHT_LOWER_LEG = 10


def released_shapes(shared, variant):
    """Every tensor of a released network, "layer/part" → shape in Keras' layout, from the recorded layers."""
    shapes = {}
    layers = json.loads((shared / "official" / f"layers_{variant.upper()}.json").read_text())
    for layer in layers:
        name = layer["layer"]
        if layer["kind"] == "batch_norm":
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                shapes[f"{name}/{part}"] = (layer["channels"],)
            continue
        side, width, out = layer["kernel"], layer["in_channels"], layer["out_channels"]
        if layer["groups"] > 1:
            shapes[f"{name}/depthwise_kernel"] = (side, side, width, 1)
        else:
            shapes[f"{name}/kernel"] = (side, side, width, out)
        if layer["bias"]:
            shapes[f"{name}/bias"] = (out,)
        if name == "pass3_detection2_confs":  # the list is of the inference graph, without the earlier predictions
            for earlier, num_maps in (("pass1_skeleton_pafs", 28), ("pass2_detection1_confs", 16)):
                shapes[f"{earlier}/kernel"], shapes[f"{earlier}/bias"] = (1, 1, width, num_maps), (num_maps,)
    return shapes


@pytest.mark.parametrize("variant", ["RT", "I"])
def test_generated_files_are_like_the_released_ones(shared, make_arrays, variant):
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            layer, *_, part = name.split("/")
            found[f"{layer}/{part.removesuffix(':0')}"] = item.shape

    with h5py.File(shared / "official" / "keras" / f"EfficientPose{variant}.h5") as file:
        file["model_weights"].visititems(note)
    generated = make_arrays(released_shapes(shared, variant), 0)
    assert {name: array.shape for name, array in generated.items()} == found


@pytest.fixture(scope="module", params=["ii", "iii", pytest.param("iv", marks=pytest.mark.slow)])
def converted(request, shared, make_arrays, write_keras, tmp_path_factory):
    """Variant, random arrays as in its ``.h5``, and the network that the converted file was loaded into."""
    variant = request.param
    arrays = make_arrays(released_shapes(shared, variant), 1)
    folder = tmp_path_factory.mktemp(variant)
    source = write_keras(folder / "weights.h5", arrays)
    assert convert_file(source, folder / "weights.pth") == variant
    network = build_network(variant).eval()
    load_checkpoint(network, folder / "weights.pth", variant=variant)
    return variant, arrays, network


def test_whole_networks_run(converted):
    _, _, network = converted
    with torch.inference_mode():
        maps = network(torch.randn(1, 3, 64, 64), None, mode="tensor")
    assert maps.pafs.shape == (1, 28, 8, 8)
    assert [each.shape for each in maps.heatmaps] == [(1, 16, 8, 8)] * 2
    assert maps.full_heatmaps.shape == (1, 16, 64, 64)
    for each in (maps.pafs, *maps.heatmaps, maps.full_heatmaps):
        assert each.isfinite().all()
        assert each.std() > 0


def assert_kernel(tensor, kernel):
    """Compare with a Keras kernel (h, w, in, out), element by element of a few."""
    assert tuple(tensor.shape) == tuple(kernel.shape[axis] for axis in (3, 2, 0, 1))
    generator = np.random.default_rng(0)
    for _ in range(50):
        y, x, i, o = (generator.integers(size) for size in kernel.shape)
        assert tensor[o, i, y, x] == kernel[y, x, i, o]


def assert_depthwise(tensor, kernel):
    """Compare with a Keras depthwise kernel (h, w, channels, 1)."""
    assert tuple(tensor.shape) == (kernel.shape[2], 1, *kernel.shape[:2])
    for y, x, channel, _ in np.ndindex(kernel.shape):
        assert tensor[channel, 0, y, x] == kernel[y, x, channel, 0]


def assert_batch_norm(module, arrays, layer):
    for ours, theirs in dict(
        weight="gamma", bias="beta", running_mean="moving_mean", running_var="moving_variance"
    ).items():
        np.testing.assert_array_equal(getattr(module, ours).detach().numpy(), arrays[f"{layer}/{theirs}"])


def test_backbone_tensors_land_where_they_should(converted):
    _, arrays, network = converted
    high, low = network.backbone.high.layers, network.backbone.low.layers
    assert_kernel(high[0].conv.weight, arrays["stem_conv_res1/kernel"])
    assert_batch_norm(low[0].bn, arrays, "stem_bn_res2")
    assert_depthwise(high[3][1].depthwise_conv.conv.weight, arrays["block3b_dwconv_res1/depthwise_kernel"])
    assert_batch_norm(high[3][1].depthwise_conv.bn, arrays, "block3b_bn_res1")
    assert_kernel(high[2][0].expand_conv.conv.weight, arrays["block2a_expand_conv_res1/kernel"])
    assert_kernel(low[1][0].se.conv1.conv.weight, arrays["block1a_se_reduce_res2/kernel"])
    assert_kernel(low[2][1].se.conv2.conv.weight, arrays["block2b_se_expand_res2/kernel"])
    assert_kernel(low[2][1].linear_conv.conv.weight, arrays["block2b_project_conv_res2/kernel"])
    assert_batch_norm(low[2][0].linear_conv.bn, arrays, "block2a_project_bn_res2")


def test_head_tensors_land_where_they_should(converted):
    _, arrays, network = converted
    head = network.head
    assert_kernel(
        head.paf_pass.blocks[0].first.expand.conv.weight, arrays["pass1_block1_mbconv1_skeleton_conv1/kernel"]
    )
    assert_depthwise(
        head.paf_pass.blocks[1].second.depthwise.conv.weight,
        arrays["pass1_block2_mbconv2_skeleton_dconv1/depthwise_kernel"],
    )
    assert_batch_norm(
        head.heatmap_passes[0].blocks[1].third.expand.bn, arrays, "pass2_block2_mbconv3_detection1_conv1_bn"
    )
    last = head.heatmap_passes[1].blocks[-1].third
    name = f"pass3_block{len(head.heatmap_passes[1].blocks)}_mbconv3_detection2"
    assert_kernel(last.squeeze_excite.conv1.conv.weight, arrays[f"{name}_se_se_squeeze_conv/kernel"])
    np.testing.assert_array_equal(
        last.squeeze_excite.conv2.conv.bias.detach().numpy(), arrays[f"{name}_se_se_excite_conv/bias"]
    )
    assert_kernel(last.project.conv.weight, arrays[f"{name}_conv2/kernel"])
    assert_batch_norm(last.project.bn, arrays, f"{name}_conv2_bn")


def test_predictions_come_in_our_order(converted):
    _, arrays, network = converted
    predictions = {
        "pass2_detection1_confs": network.head.heatmap_passes[0].predict,
        "pass3_detection2_confs": network.head.heatmap_passes[1].predict,
    }
    for layer, predict in predictions.items():
        for ours, theirs in ((0, RIGHT_ANKLE), (9, HEAD_TOP), (15, LEFT_WRIST)):
            np.testing.assert_array_equal(
                predict.weight[ours, :, 0, 0].detach().numpy(), arrays[f"{layer}/kernel"][0, 0, :, theirs]
            )
            assert predict.bias[ours] == arrays[f"{layer}/bias"][theirs]
    kernel = arrays["pass1_skeleton_pafs/kernel"]
    pafs = network.head.paf_pass.predict
    for component in (0, 1):  # x and y of limb 0
        np.testing.assert_array_equal(
            pafs.weight[component, :, 0, 0].detach().numpy(), kernel[0, 0, :, 2 * RIGHT_LOWER_LEG + component]
        )


def test_checkpoint_says_what_it_is_and_has_the_networks_tensors(rt_file, tmp_path):
    assert convert_file(rt_file, tmp_path / "rt.pth") == "rt"
    checkpoint = torch.load(tmp_path / "rt.pth", weights_only=True)
    assert (checkpoint["meta"]["variant"], checkpoint["meta"]["source"]) == ("rt", "EfficientPoseRT.h5")
    converted, network = (
        {name: (tensor.shape, tensor.dtype) for name, tensor in state_dict.items()}
        for state_dict in (checkpoint["state_dict"], build_network("rt").state_dict())
    )
    assert converted == network


def without(name):
    return lambda arrays: arrays.pop(name)


def renamed(arrays):
    arrays["block1a_project_convolution_res1/kernel"] = arrays.pop("block1a_project_conv_res1/kernel")


def changed(name, change):
    def mutate(arrays):
        arrays[name] = change(arrays[name].copy())

    return mutate


def set_first(value):
    def change(array):
        array.flat[0] = value
        return array

    return change


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (
            without("block2b_expand_bn_res1/gamma"),
            r"1 tensors\n  missing: block2b_expand_bn_res1 \(backbone.high.layers.2.1.expand_conv.bn.weight\) \(144,\)",
        ),
        (without("pass3_detection2_confs/bias"), r"missing: pass3_detection2_confs .*predict.bias"),
        (without("upscaled_deconv2/bias"), r"missing: upscaled_deconv2"),
        (
            renamed,
            r"2 tensors\n  missing: block1a_project_conv_res1 .*\n"
            r"  left over: block1a_project_convolution_res1 kernel \(16, 32, 1, 1\)",
        ),
        (lambda arrays: arrays.update({"extra/bias": np.zeros(3)}), r"1 tensors\n  left over: extra bias \(3,\)"),
        (
            changed("stem_bn_res1/beta", lambda array: array[:-1]),
            r"stem_bn_res1 \(backbone.high.layers.0.bn.bias\) has shape \(31,\), not \(32,\)",
        ),
        (
            changed("stem_conv_res1/kernel", lambda array: array.transpose(0, 1, 3, 2)),
            r"stem_conv_res1 .* has shape \(3, 32, 3, 3\), not \(32, 3, 3, 3\)",
        ),
        (
            changed("stem_conv_res1/kernel", lambda array: array[0]),
            r"stem_conv_res1 .* has shape \(3, 3, 32\), not \(32, 3, 3, 3\)",
        ),
        (
            changed("pass1_skeleton_pafs/kernel", set_first(np.nan)),
            r"pass1_skeleton_pafs .* has values that are not finite",
        ),
        (changed("stem_bn_res1/moving_mean", set_first(np.inf)), r"stem_bn_res1 .* has values that are not finite"),
        (
            changed("stem_bn_res1/moving_variance", set_first(-1)),
            r"stem_bn_res1 \(backbone.high.layers.0.bn.running_var\) has negative values",
        ),
        (
            changed("upscaled_deconv1/kernel", set_first(0.3)),
            r"1 tensors\n  upscaled_deconv1 is not bilinear: convert to a network with upsampling='transposed_conv'",
        ),
        (changed("upscaled_confs/bias", set_first(1e-3)), r"upscaled_confs is not bilinear"),
    ],
)
def test_strictness(rt_arrays, write_keras, tmp_path, mutate, message):
    arrays = dict(rt_arrays)
    mutate(arrays)
    source = write_keras(tmp_path / "changed.h5", arrays)
    with pytest.raises(ConversionError, match=rf"changed.h5 does not fit EfficientPose RT: (?s:.*){message}"):
        convert_file(source, tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_a_learnt_upsampler_converts_to_transposed_convolutions(rt_arrays, write_keras, tmp_path):
    kernel = np.random.default_rng(2).normal(size=(4, 4, 16, 16)).astype(np.float32)  # (h, w, out, in)
    source = write_keras(tmp_path / "learnt.h5", rt_arrays | {"upscaled_deconv1/kernel": kernel})
    network = build_network("rt", upsampling="transposed_conv")
    network.load_state_dict(convert_layers(read_released(source), network))
    weight = network.head.upsampler.stages[0].weight
    for y, x in np.ndindex(4, 4):
        assert weight[9, 0, y, x] == kernel[y, x, RIGHT_ANKLE, HEAD_TOP]  # from head_top to right_ankle
        assert weight[0, 9, y, x] == kernel[y, x, HEAD_TOP, RIGHT_ANKLE]


def test_wrong_variant(rt_file, tmp_path):
    with pytest.raises(ConversionError, match=r"RT.h5 is of EfficientPose RT, not EfficientPose I: use --model rt"):
        convert_file(rt_file, tmp_path / "i.pth", variant="i")
    with pytest.raises(ValueError, match=r"unknown variant 'v'"):
        convert_file(rt_file, tmp_path / "v.pth", variant="v")


def test_no_released_network(write_keras, tmp_path):
    source = write_keras(tmp_path / "other.h5", {"dense/kernel": np.ones((2, 2))})
    for variant in (None, "rt"):
        with pytest.raises(ConversionError, match=r"other.h5 is no released EfficientPose: it has no layer pass1_bl"):
            convert_file(source, tmp_path / "out.pth", variant=variant)


def test_a_head_that_no_variant_has(rt_arrays, write_keras, tmp_path):
    """Naming the variant then shows what is wrong."""
    name = "pass1_block1_mbconv1_skeleton_conv2/kernel"
    source = write_keras(tmp_path / "narrow.h5", rt_arrays | {name: rt_arrays[name][..., :39]})
    with pytest.raises(
        ConversionError, match=r"narrow.h5 has 39 channels and 1 blocks .* name its variant with --model"
    ):
        convert_file(source, tmp_path / "out.pth")
    with pytest.raises(ConversionError, match=r"_skeleton_conv2 .* has shape \(39, 240, 1, 1\), not \(40, 240, 1, 1\)"):
        convert_file(source, tmp_path / "out.pth", variant="rt")


def test_long_lists_are_cut(rt_arrays, write_keras, tmp_path):
    arrays = {name: array for name, array in rt_arrays.items() if not name.startswith(("block", "stem"))}
    source = write_keras(tmp_path / "headless.h5", arrays)
    with pytest.raises(ConversionError, match=r"missing: stem_conv_res1 (?s:.*)  and \d+ more$") as caught:
        convert_file(source, tmp_path / "out.pth")
    assert len(str(caught.value).splitlines()) == 22


def test_no_file_and_no_folder(rt_file, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.h5: no such file"):
        convert_file(tmp_path / "none.h5", tmp_path / "out.pth")
    with pytest.raises(FileNotFoundError, match=r"none: no such folder"):
        convert_file(rt_file, tmp_path / "none" / "out.pth")
