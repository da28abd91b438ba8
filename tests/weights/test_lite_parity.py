"""The converted Lite networks compute what the released ones were recorded to, and what the Keras files describe."""

import json

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap
from efficientpose.core.variants import get_variant
from efficientpose.models.build import build_network
from efficientpose.weights.convert import convert_layers
from efficientpose.weights.released import read_released

IMAGES = ("official_sample.jpg", "person1.jpg", "004645041.jpg", "060754485.jpg")
VARIANTS = ("rt_lite", "i_lite", "ii_lite")
KERAS_VARIANTS = ("rt_lite", "i_lite")  # those whose Keras file is known
# float32 files are exact; TensorFlow Lite ran float16 weights through its own kernels
KERAS_TOLERANCE, TFLITE_TOLERANCE = 1e-5, 1e-4
# our keypoints, right_ankle to left_wrist, among the released ones
KEYPOINTS = [12, 11, 10, 13, 14, 15, 9, 5, 1, 0, 4, 3, 2, 6, 7, 8]


def crops(shared, variant):
    """The four crops as the released Lite networks read them, (4, 3, r, r)."""
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        pixels = np.stack([inputs[f"{image}@{get_variant(variant).resolution}"] for image in IMAGES])
    return torch.from_numpy((pixels / 127.5 - 1).astype(np.float32)).permute(0, 3, 1, 2)


def run(shared, variant, ending):
    """Our maps of the four crops, with weights from a released file."""
    folder = {"h5": "keras", "tflite": "tflite"}[ending]
    source = shared / "official" / folder / f"EfficientPose{variant.upper()}.{ending}"
    network = build_network(variant).eval()
    network.load_state_dict(convert_layers(read_released(source), network))
    with torch.inference_mode():
        return network(crops(shared, variant), None, mode="tensor")


def same_padding(x, *, kernel, stride):
    """TensorFlow's "same": as many outputs as strides begin, the odd pixel of padding at the end."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def run_layer(kind, config, weights, inputs):
    """Compute one Keras layer of ``inputs``, (B, C, H, W) each."""
    x = inputs[0]
    kernel = weights.get("kernel:0", weights.get("depthwise_kernel:0"))
    if kind in ("Conv2D", "DepthwiseConv2D"):
        (stride, _), (side, _) = config["strides"], config["kernel_size"]
        assert config["padding"] == "same"
        padded = same_padding(x, kernel=side, stride=stride)
        is_dense = kind == "Conv2D"
        kernel = kernel.permute((3, 2, 0, 1) if is_dense else (2, 3, 0, 1))
        return F.conv2d(padded, kernel, weights.get("bias:0"), stride=stride, groups=1 if is_dense else x.shape[1])
    if kind == "Conv2DTranspose":
        return F.conv_transpose2d(x, kernel.permute(3, 2, 0, 1), weights["bias:0"], stride=2, padding=1)
    if kind == "BatchNormalization":
        statistics = (weights[f"{part}:0"] for part in ("moving_mean", "moving_variance", "gamma", "beta"))
        return F.batch_norm(x, *statistics, eps=config["epsilon"])
    if kind == "ReLU":
        return x.clamp(0, config["max_value"])
    return {"Add": lambda: inputs[0] + inputs[1], "Concatenate": lambda: torch.cat(inputs, dim=1)}[kind]()


def run_keras(path, images):
    """Compute a Keras file layer by layer, as its own description says: (B, 16, r, r), released order."""
    outputs = {}
    with h5py.File(path) as file:
        model = json.loads(file.attrs["model_config"])["config"]
        for layer in model["layers"]:
            name, kind = layer["name"], layer["class_name"]
            if kind == "InputLayer":
                outputs[name] = images
                continue
            group = file["model_weights"][name].get(name, {})
            weights = {part: torch.from_numpy(group[part][()]) for part in group}
            inputs = [outputs[node[0]] for node in layer["inbound_nodes"][0]]
            outputs[name] = run_layer(kind, layer["config"], weights, inputs)
    ((last, _, _),) = model["output_layers"]
    return outputs[last]


@pytest.fixture(scope="module")
def tflite_maps(shared):
    return {variant: run(shared, variant, "tflite") for variant in VARIANTS}


@pytest.fixture(scope="module")
def keras_maps(shared):
    return {variant: run(shared, variant, "h5") for variant in KERAS_VARIANTS}


@pytest.mark.parametrize("variant", KERAS_VARIANTS)
def test_keras_file_converted_equals_keras_file_read_layer_by_layer(shared, keras_maps, variant):
    path = shared / "official" / "keras" / f"EfficientPose{variant.upper()}.h5"
    with torch.inference_mode():
        expected = run_keras(path, crops(shared, variant))[:, KEYPOINTS]
    assert expected.amax() > 0.5
    torch.testing.assert_close(keras_maps[variant].full_heatmaps, expected, rtol=0, atol=KERAS_TOLERANCE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_full_maps_as_recorded(shared, tflite_maps, variant):
    """The recording is in float16: a value may be rounded the other way."""
    with np.load(shared / "golden" / f"outputs_{variant.upper()}.npz") as outputs:
        expected = outputs["official_sample.jpg/upscaled"][KEYPOINTS]
    rounded = tflite_maps[variant].full_heatmaps[0].numpy().astype(np.float16)
    step = np.spacing(np.maximum(np.abs(expected), np.abs(rounded))).astype(np.float64)
    difference = np.abs(rounded.astype(np.float64) - expected.astype(np.float64))
    assert (difference <= step + TFLITE_TOLERANCE).all()


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_keypoints(shared, tflite_maps, variant, image):
    """The released decoder reports pixel edges: half a pixel more than pixel centres."""
    recorded = json.loads((shared / "golden" / "keypoints.json").read_text())[variant.upper()][image]
    expected = np.array(recorded)[KEYPOINTS]
    codec = FullResolutionHeatmap(input_size=get_variant(variant).input_size, blur_sigma=1)
    keypoints, scores = codec.decode(tflite_maps[variant].final[IMAGES.index(image)].numpy())
    np.testing.assert_array_equal(keypoints[0], expected[:, :2] - 0.5)
    np.testing.assert_allclose(scores[0], expected[:, 2], rtol=0, atol=TFLITE_TOLERANCE)


@pytest.mark.parametrize("variant", KERAS_VARIANTS)
def test_tflite_files_are_close_to_their_keras_twins(tflite_maps, keras_maps, variant):
    rounded, exact = tflite_maps[variant], keras_maps[variant]
    for ours, theirs in ((rounded.heatmaps[1], exact.heatmaps[1]), (rounded.full_heatmaps, exact.full_heatmaps)):
        assert 0 < (ours - theirs).abs().max() <= 5e-3
