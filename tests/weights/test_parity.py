"""The converted networks compute what the released ones were recorded to."""

import json

import h5py
import numpy as np
import pytest
import torch

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap
from efficientpose.core.variants import get_variant
from efficientpose.models.build import build_network
from efficientpose.weights.convert import convert_layers
from efficientpose.weights.released import read_released

IMAGES = ("official_sample.jpg", "person1.jpg", "004645041.jpg", "060754485.jpg")
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
# float32 files are exact; TensorFlow Lite ran float16 weights through its own kernels
TOLERANCES = {"rt": 1e-5, "i": 1e-5, "ii": 1e-4}
SOURCES = {"rt": "keras/EfficientPoseRT.h5", "i": "keras/EfficientPoseI.h5", "ii": "tflite/EfficientPoseII.tflite"}

# our keypoints, right_ankle to left_wrist, among the released ones
KEYPOINTS = [12, 11, 10, 13, 14, 15, 9, 5, 1, 0, 4, 3, 2, 6, 7, 8]
# our limbs, sorted by their distal joint, among the released ones
LIMBS = [10, 9, 8, 11, 12, 13, 7, 0, 3, 2, 1, 4, 5, 6]
PAF_CHANNELS = [2 * limb + component for limb in LIMBS for component in (0, 1)]


def run(shared, variant, source):
    """All maps of the four crops."""
    network = build_network(variant).eval()
    network.load_state_dict(convert_layers(read_released(shared / "official" / source), network))
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        crops = np.stack([inputs[f"{image}@{get_variant(variant).resolution}"] for image in IMAGES])
    normalised = torch.from_numpy(((crops - MEAN) / STD).astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return network(normalised, None, mode="tensor")


@pytest.fixture(scope="module")
def released_maps(shared):
    return {variant: run(shared, variant, source) for variant, source in SOURCES.items()}


@pytest.fixture(scope="module", params=list(SOURCES))
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def maps(released_maps, variant):
    return released_maps[variant]


@pytest.fixture(scope="module")
def recorded(shared, variant):
    with np.load(shared / "golden" / f"outputs_{variant.upper()}.npz") as outputs:
        return dict(outputs)


@pytest.mark.parametrize("image", IMAGES)
def test_maps_at_stride_8(maps, recorded, variant, image):
    index = IMAGES.index(image)
    close = dict(rtol=0, atol=TOLERANCES[variant])
    np.testing.assert_allclose(maps.pafs[index], recorded[f"{image}/paf"][PAF_CHANNELS], **close)
    np.testing.assert_allclose(maps.heatmaps[0][index], recorded[f"{image}/heatmap1"][KEYPOINTS], **close)
    np.testing.assert_allclose(maps.heatmaps[1][index], recorded[f"{image}/heatmap2"][KEYPOINTS], **close)


def test_full_maps_as_recorded(maps, recorded, variant):
    """The recording is in float16: a value may be rounded the other way."""
    expected = recorded["official_sample.jpg/upscaled"][KEYPOINTS]
    rounded = maps.full_heatmaps[0].numpy().astype(np.float16)
    step = np.spacing(np.maximum(np.abs(expected), np.abs(rounded))).astype(np.float64)
    difference = np.abs(rounded.astype(np.float64) - expected.astype(np.float64))
    assert (difference <= step + TOLERANCES[variant]).all()


def upsampler_kernels(path):
    """The three released kernels (h, w, out, in) and biases, read without our reader where they are in a Keras file."""
    layers = ("upscaled_deconv1", "upscaled_deconv2", "upscaled_confs")
    if path.suffix == ".tflite":
        released = read_released(path)
        return [(released[layer]["kernel"].transpose(2, 3, 1, 0), released[layer]["bias"]) for layer in layers]
    with h5py.File(path) as file:
        groups = [file[f"model_weights/{layer}/{layer}"] for layer in layers]
        return [(group["kernel:0"][()], group["bias:0"][()]) for group in groups]


def transposed_convolution(maps, kernel, bias):
    """Keras' Conv2DTranspose, 4×4 with stride 2 and padding "same": cells spread their kernel, the edge is cut."""
    num_maps, height, width = kernel.shape[2], *maps.shape[1:]
    spread = np.zeros((num_maps, 2 * height + 2, 2 * width + 2))
    for y, x in np.ndindex(4, 4):
        spread[:, y : y + 2 * height : 2, x : x + 2 * width : 2] += np.einsum("oi,ihw->ohw", kernel[y, x], maps)
    return spread[:, 1:-1, 1:-1] + bias[:, None, None]


@pytest.mark.parametrize("image", IMAGES)
def test_full_maps_are_the_released_dense_upsampling(shared, maps, recorded, variant, image):
    expected = recorded[f"{image}/heatmap2"].astype(np.float64)
    for kernel, bias in upsampler_kernels(shared / "official" / SOURCES[variant]):
        expected = transposed_convolution(expected, kernel.astype(np.float64), bias.astype(np.float64))
    np.testing.assert_allclose(
        maps.full_heatmaps[IMAGES.index(image)], expected[KEYPOINTS], rtol=0, atol=TOLERANCES[variant]
    )


@pytest.mark.parametrize("image", IMAGES)
def test_keypoints(shared, maps, variant, image):
    """The released decoder reports pixel edges: half a pixel more than pixel centres."""
    recorded = json.loads((shared / "golden" / "keypoints.json").read_text())[variant.upper()][image]
    expected = np.array(recorded)[KEYPOINTS]
    codec = FullResolutionHeatmap(input_size=get_variant(variant).input_size, blur_sigma=1)
    keypoints, scores = codec.decode(maps.final[IMAGES.index(image)].numpy())
    np.testing.assert_array_equal(keypoints[0], expected[:, :2] - 0.5)
    np.testing.assert_allclose(scores[0], expected[:, 2], rtol=0, atol=TOLERANCES[variant])


@pytest.mark.parametrize("small", ["rt", "i"])
def test_tflite_files_are_close_to_their_keras_twins(shared, released_maps, small):
    exact = released_maps[small]
    rounded = run(shared, small, f"tflite/EfficientPose{small.upper()}.tflite")
    pairs = zip((rounded.pafs, *rounded.heatmaps), (exact.pafs, *exact.heatmaps), strict=True)
    for ours, theirs in (*pairs, (rounded.full_heatmaps, exact.full_heatmaps)):
        difference = (ours - theirs).abs().max()
        assert 0 < difference <= 5e-3
