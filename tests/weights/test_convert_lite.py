"""The Lite variants' files: their layers' names, and the predictions that they lack."""

import numpy as np
import pytest
import torch

from efficientpose.models.build import build_network
from efficientpose.weights.checkpoint import load_checkpoint
from efficientpose.weights.convert import ConversionError, convert_file, convert_layers
from efficientpose.weights.released import read_released, released_layer_names

BACKBONE = "efficientnet-lite0/model"
RIGHT_ANKLE = 12
EARLIER_PREDICTIONS = ("pass1_skeleton_pafs", "pass2_detection1_confs")

SOURCES = {
    "rt_lite": ("keras/EfficientPoseRT_LITE.h5", "tflite/EfficientPoseRT_LITE.tflite"),
    "i_lite": ("keras/EfficientPoseI_LITE.h5", "tflite/EfficientPoseI_LITE.tflite"),
    "ii_lite": ("tflite/EfficientPoseII_LITE.tflite",),
}


@pytest.fixture(scope="module")
def rt_lite_file(tmp_path_factory, rt_lite_arrays, write_keras):
    """A whole EfficientPose RT Lite with random weights."""
    return write_keras(tmp_path_factory.mktemp("released") / "EfficientPoseRT_LITE.h5", rt_lite_arrays)


@pytest.fixture(scope="module")
def converted(rt_lite_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("converted") / "rt_lite.pth"
    assert convert_file(rt_lite_file, path) == "rt_lite"
    network = build_network("rt_lite").eval()
    load_checkpoint(network, path, variant="rt_lite")
    return network


@pytest.mark.parametrize(("variant", "source"), [(name, each) for name, files in SOURCES.items() for each in files])
def test_every_released_layer_is_one_of_ours(shared, variant, source):
    """Batch norms apart, which a TFLite file has folded into its convolutions."""
    released = set(read_released(shared / "official" / source))
    ours = set(released_layer_names(build_network(variant, upsampling="transposed_conv")).values())
    norms = {layer for layer in ours if layer.endswith("_bn") or "normalization" in layer}
    expected = ours - set(EARLIER_PREDICTIONS) - (norms if source.endswith("tflite") else set())
    assert released == expected


def test_generated_file_is_like_the_released_one(shared, rt_lite_file):
    generated, released = (
        {(layer, part): array.shape for layer, parts in read_released(path).items() for part, array in parts.items()}
        for path in (rt_lite_file, shared / "official" / SOURCES["rt_lite"][0])
    )
    assert generated == released
    assert sum(np.prod(shape) for shape in released.values()) == 404_608


def test_backbone_tensors_land_where_they_should(converted, rt_lite_arrays):
    """Blocks count through the stages; the first has no expansion, so that its layers count from the depthwise one."""
    layers = converted.backbone.high.layers
    norm = "tpu_batch_normalization"
    expected = [
        (layers[0].conv.weight, "stem/conv2d/Conv2D_0/kernel"),
        (layers[0].bn.running_mean, f"stem/{norm}/FusedBatchNormV3_0/moving_mean"),
        (layers[1][0].depthwise_conv.conv.weight, "blocks_0/depthwise_conv2d/depthwise_0/depthwise_kernel"),
        (layers[1][0].depthwise_conv.bn.weight, f"blocks_0/{norm}/FusedBatchNormV3_0/gamma"),
        (layers[1][0].linear_conv.conv.weight, "blocks_0/conv2d/Conv2D_0/kernel"),
        (layers[1][0].linear_conv.bn.bias, f"blocks_0/{norm}_1/FusedBatchNormV3_0/beta"),
        (layers[2][1].expand_conv.conv.weight, "blocks_2/conv2d/Conv2D_0/kernel"),
        (layers[2][1].expand_conv.bn.weight, f"blocks_2/{norm}/FusedBatchNormV3_0/gamma"),
        (layers[3][0].depthwise_conv.conv.weight, "blocks_3/depthwise_conv2d/depthwise_0/depthwise_kernel"),
        (layers[3][0].depthwise_conv.bn.running_var, f"blocks_3/{norm}_1/FusedBatchNormV3_0/moving_variance"),
        (layers[3][1].linear_conv.conv.weight, "blocks_4/conv2d_1/Conv2D_0/kernel"),
        (layers[3][1].linear_conv.bn.bias, f"blocks_4/{norm}_2/FusedBatchNormV3_0/beta"),
    ]
    for tensor, name in expected:
        array = rt_lite_arrays[f"{BACKBONE}/{name}"]
        if array.ndim == 4:
            array = array.transpose((2, 3, 0, 1) if name.endswith("depthwise_kernel") else (3, 2, 0, 1))
        np.testing.assert_array_equal(tensor.detach().numpy(), array, err_msg=name)


def test_what_is_not_released_is_zero_and_the_rest_is_not(converted, rt_lite_arrays):
    head = converted.head
    for predict in (head.paf_pass.predict, head.heatmap_passes[0].predict):
        assert not predict.weight.any()
        assert not predict.bias.any()
    kernel = rt_lite_arrays["pass3_detection2_confs/kernel"]
    weight = head.heatmap_passes[1].predict.weight.detach().numpy()
    np.testing.assert_array_equal(weight[0, :, 0, 0], kernel[0, 0, :, RIGHT_ANKLE])
    with torch.inference_mode():
        maps = converted(torch.randn(1, 3, 64, 64), None, mode="tensor")
    assert not maps.pafs.any()
    assert maps.heatmaps[1].std() > 0


def test_training_moves_what_was_not_released(rt_lite_file):
    network = build_network("rt_lite")
    network.load_state_dict(convert_layers(read_released(rt_lite_file), network))
    (network(torch.randn(2, 3, 64, 64), None, mode="tensor").pafs - 1).square().mean().backward()
    assert network.head.paf_pass.predict.weight.grad.abs().max() > 0


def shape_of(layer):
    return (1, 1, 120, 28 if "pafs" in layer else 16)


def test_predictions_in_a_file_are_used(rt_lite_arrays, write_keras, tmp_path):
    given = {f"{layer}/kernel": np.full(shape_of(layer), 2.0) for layer in EARLIER_PREDICTIONS}
    given |= {f"{layer}/bias": np.full(shape_of(layer)[-1:], 3.0) for layer in EARLIER_PREDICTIONS}
    network = build_network("rt_lite")
    source = write_keras(tmp_path / "all.h5", rt_lite_arrays | given)
    network.load_state_dict(convert_layers(read_released(source), network))
    for predict in (network.head.paf_pass.predict, network.head.heatmap_passes[0].predict):
        assert predict.weight.eq(2).all()
        assert predict.bias.eq(3).all()


def test_some_of_the_predictions_are_not_enough(rt_lite_arrays, write_keras, tmp_path):
    arrays = rt_lite_arrays | {"pass1_skeleton_pafs/kernel": np.ones(shape_of("pafs"))}
    source = write_keras(tmp_path / "some.h5", arrays)
    with pytest.raises(
        ConversionError,
        match=r"some.h5 does not fit EfficientPose RT Lite: 3 tensors\n  missing: pass1_skeleton_pafs .*bias"
        r".*\n  missing: pass2_detection1_confs .*weight.*\n  missing: pass2_detection1_confs .*bias",
    ):
        convert_file(source, tmp_path / "out.pth")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blocks_2/conv2d_1/Conv2D_0/kernel", r"1 tensors\n  missing: .*blocks_2/conv2d_1/Conv2D_0 \(backbone.high"),
        ("stem/tpu_batch_normalization/FusedBatchNormV3_0/beta", r"1 tensors\n  missing: .*/stem/tpu_"),
    ],
)
def test_a_missing_backbone_tensor_is_named(rt_lite_arrays, write_keras, tmp_path, name, message):
    arrays = {key: array for key, array in rt_lite_arrays.items() if key != f"{BACKBONE}/{name}"}
    with pytest.raises(ConversionError, match=message):
        convert_file(write_keras(tmp_path / "less.h5", arrays), tmp_path / "out.pth")


def test_a_left_over_backbone_tensor_is_named(rt_lite_arrays, write_keras, tmp_path):
    arrays = rt_lite_arrays | {f"{BACKBONE}/blocks_5/conv2d/Conv2D_0/kernel": np.ones((1, 1, 2, 3))}
    with pytest.raises(
        ConversionError, match=r"1 tensors\n  left over: .*/blocks_5/conv2d/Conv2D_0 kernel \(3, 2, 1, 1\)"
    ):
        convert_file(write_keras(tmp_path / "more.h5", arrays), tmp_path / "out.pth")


def test_lite_and_full_files_are_told_apart(rt_file, rt_lite_file, tmp_path):
    with pytest.raises(ConversionError, match="is of EfficientPose RT Lite, not EfficientPose RT: use --model rt_lite"):
        convert_file(rt_lite_file, tmp_path / "out.pth", variant="rt")
    with pytest.raises(ConversionError, match="is of EfficientPose RT, not EfficientPose RT Lite: use --model rt"):
        convert_file(rt_file, tmp_path / "out.pth", variant="rt_lite")


def test_a_full_file_needs_its_predictions(rt_arrays, write_keras, tmp_path):
    arrays = {name: array for name, array in rt_arrays.items() if not name.startswith(EARLIER_PREDICTIONS)}
    with pytest.raises(ConversionError, match=r"4 tensors\n  missing: pass1_skeleton_pafs"):
        convert_file(write_keras(tmp_path / "less.h5", arrays), tmp_path / "out.pth")
