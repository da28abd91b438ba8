"""Quantisation: what is calibrated on, which layers are computed in eight bits, and how well the file agrees."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.graph import Graph, Operation, trace
from efficientpose.export.int8 import MIN_IMAGES, find_int8_operations, load_calibration, serialise_int8_onnx

SETTINGS = dict(input_size=(32, 32), num_images=100)


@pytest.fixture
def make_images(tmp_path):
    """Write grey images of 40 x 32 pixels, each of a shade of its own."""

    def make(count):
        for number in range(count):
            cv2.imwrite(str(tmp_path / f"{number:02}.png"), np.full((32, 40, 3), 2 * number, np.uint8))
        return tmp_path

    return make


def test_every_fourth_image_is_held_out(make_images):
    crops = load_calibration(make_images(20), **SETTINGS)
    assert crops.fitted.shape == (15, 32, 32, 3)
    assert crops.held_out.shape == (5, 32, 32, 3)
    assert (crops.num_images, crops.errors) == (20, ())
    shades = [sorted(int(crop[16, 16, 0]) for crop in part) for part in (crops.fitted, crops.held_out)]
    assert sorted(shades[0] + shades[1]) == list(range(0, 40, 2))


def test_no_more_than_asked_for_and_always_the_same(make_images):
    folder = make_images(30)
    first, second = (load_calibration(folder, input_size=(32, 32), num_images=16) for _ in range(2))
    assert first.num_images == 16
    np.testing.assert_array_equal(first.fitted, second.fitted)


def test_channels_are_red_green_blue(make_images):
    folder = make_images(0)
    for number in range(16):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((32, 32, 3), (200, 0, 10), np.uint8))  # mostly blue
    assert load_calibration(folder, **SETTINGS).fitted[0, 16, 16].tolist() == [10, 0, 200]


def test_boxes(make_images):
    folder = make_images(17)
    boxes = {f"{number:02}.png": [[0, 0, 40, 32], [10, 10, 20, 20]] for number in range(16)}
    crops = load_calibration(folder, **SETTINGS, boxes=boxes)
    assert (len(crops.fitted), len(crops.held_out)) == (24, 8)
    (error,) = crops.errors
    assert "16.png" in error


def test_unreadable_images_are_named(make_images):
    folder = make_images(18)
    (folder / "03.png").write_bytes(b"no image")
    (folder / "04.png").write_bytes(b"")
    crops = load_calibration(folder, **SETTINGS)
    assert crops.num_images == 16
    assert sorted(message.split(":")[0].rsplit("/")[-1] for message in crops.errors) == ["03.png", "04.png"]


def test_bad_folders(make_images, tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such folder of calibration images"):
        load_calibration(tmp_path / "nowhere", **SETTINGS)
    with pytest.raises(ValueError, match="no images in this folder"):
        load_calibration(tmp_path, **SETTINGS)
    folder = make_images(MIN_IMAGES)
    (folder / "03.png").write_bytes(b"no image")
    few = r"15 of its 16 images can be used, too few.* at least 16(.|\n)*03\.png: not an image"
    with pytest.raises(ValueError, match=few):
        load_calibration(folder, **SETTINGS)
    with pytest.raises(ValueError, match="calibration needs 16 images or more, not 3"):
        load_calibration(folder, input_size=(32, 32), num_images=3)


def convolution(name, read, weight, bias=None):
    weight = np.asarray(weight, np.float32)[:, :, None, None]
    bias = np.zeros(len(weight)) if bias is None else bias
    weights = {"weight": weight, "bias": np.asarray(bias, np.float32)}
    return Operation(kind="convolution", name=name, inputs=(read,), shape=(1, len(weight), 8, 8), weights=weights)


def make_graph(reach=1):
    """Convolutions around an addition and a concatenation, whose channels have a reach, (4,)."""
    reach = np.broadcast_to(reach, 4)
    generator = np.random.default_rng(0)

    def draw(num_out, num_in):
        return generator.normal(size=(num_out, num_in))

    shape = (1, 4, 8, 8)
    operations = (
        convolution("first", "images", draw(4, 3)),
        Operation(kind="relu6", name="act", inputs=("first",), shape=shape),
        convolution("one", "act", draw(4, 4) * reach[:, None], generator.normal(size=4)),
        convolution("other", "act", draw(4, 4) * reach[:, None]),
        Operation(kind="add", name="sum", inputs=("one", "other"), shape=shape),
        Operation(kind="concatenate", name="joined", inputs=("sum", "act"), shape=(1, 8, 8, 8)),
        convolution("heatmaps", "joined", draw(2, 8) / np.r_[reach, np.ones(4)], [1, -1]),
    )
    return Graph(input_shape=(1, 3, 8, 8), operations=operations, outputs=("heatmaps",))


def draw_images(seed, count=16):
    return np.random.default_rng(seed).normal(size=(count, 1, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def int8_file():
    """The graph in eight bits, with a property of its own."""
    pytest.importorskip("onnxruntime.quantization")
    return serialise_int8_onnx(make_graph(), draw_images(1), metadata={"a": "b"})


def test_int8_computes_nearly_the_same(int8_file):
    """Also in a batch, and on other images than it was calibrated on."""
    onnxruntime = pytest.importorskip("onnxruntime")
    from efficientpose.export.onnx import serialise_onnx

    images = draw_images(2)[:, 0]
    expected, given = (
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"images": images})[0]
        for file in (serialise_onnx(make_graph(), metadata={}), int8_file)
    )
    error = np.sqrt(np.square(given - expected).mean())
    assert 0 < error < 0.1 * expected.std()


def test_equalisation_changes_nothing_but_ranges():
    """The channels of "one" and "other", whose sum is read by a convolution, are 1000 times apart."""
    onnxruntime = pytest.importorskip("onnxruntime")
    from efficientpose.export.int8_preparation import equalise, measure_channels
    from efficientpose.export.onnx import serialise_onnx

    reach = np.array([0.1, 1, 10, 100])
    graph, images = make_graph(reach), draw_images(1)
    balanced = equalise(graph, images)
    expected, given = (
        onnxruntime.InferenceSession(serialise_onnx(each, metadata={}), providers=["CPUExecutionProvider"]).run(
            None, {"images": images[:, 0]}
        )[0]
        for each in (graph, balanced)
    )
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
    before, after = (measure_channels(each, images) for each in (graph, balanced))
    assert np.ptp(np.log10(before["sum"].largest)) > 2.5
    assert np.ptp(np.log10(after["sum"].largest)) < 1
    np.testing.assert_array_equal(after["act"].largest, before["act"].largest)  # not linear: stays


def test_rounded_weights_keep_the_means_of_channels():
    pytest.importorskip("onnxruntime")
    from efficientpose.export.int8_preparation import correct_biases, measure_channels, round_weight

    def round_named(graph):
        rounded = (
            replace(each, weights=each.weights | {"weight": round_weight(each.weights["weight"]).astype(np.float32)})
            if each.name in names
            else each
            for each in graph.operations
        )
        return replace(graph, operations=tuple(rounded))

    names = ("one", "other")
    graph, images = make_graph(), draw_images(1) + 2
    corrected = correct_biases(graph, images, names=names)
    expected, plain, given = (
        measure_channels(each, images) for each in (graph, round_named(graph), round_named(corrected))
    )
    for name in names:
        assert np.abs(plain[name].mean - expected[name].mean).max() > 1e-3
        np.testing.assert_allclose(given[name].mean, expected[name].mean, atol=1e-5)
    assert corrected.operations[0] is graph.operations[0]


def test_a_bias_is_corrected_for_its_own_group():
    """0.301 is rounded to 19/64; the images' second channel is 2 everywhere, its neighbours are 0 and 5."""
    pytest.importorskip("onnxruntime")
    from efficientpose.export.int8_preparation import correct_biases

    weight = np.array([[[[1, 0.5]]], [[[1, 0.301]]], [[[0, 0]]]], np.float32)  # (out, in / groups, h, w)
    layer = replace(convolution("heatmaps", "images", weight[..., 0, 0], [1, 1, 1]), groups=3, shape=(1, 3, 8, 7))
    layer = replace(layer, weights=layer.weights | {"weight": weight})
    graph = Graph(input_shape=(1, 3, 8, 8), operations=(layer,), outputs=("heatmaps",))
    image = np.broadcast_to(np.float32([0, 2, 5])[:, None, None], (1, 3, 8, 8)).copy()
    (corrected,) = correct_biases(graph, [image], names=["heatmaps"]).operations
    np.testing.assert_allclose(corrected.weights["bias"], [1, 1 - 2 * (19 / 64 - 0.301), 1], rtol=1e-6)


def test_weights_are_rounded_as_the_file_stores_them(int8_file):
    onnx = pytest.importorskip("onnx")
    from efficientpose.export.int8_preparation import equalise, round_weight

    stored = {
        each.name: onnx.numpy_helper.to_array(each) for each in onnx.load_from_string(int8_file).graph.initializer
    }
    (weight,) = (
        each.weights["weight"] for each in equalise(make_graph(), draw_images(1)).operations if each.name == "one"
    )
    dequantised = stored["one_weight_quantized"] * stored["one_weight_scale"][:, None, None, None]
    np.testing.assert_allclose(round_weight(weight), dequantised, rtol=1e-5, atol=1e-6)


def test_nodes_of_the_file(int8_file):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(int8_file)
    kinds = [node.op_type for node in model.graph.node if "Linear" not in node.op_type]
    assert kinds.count("Conv") == 4
    types = {each.name: each.data_type for each in model.graph.initializer}
    assert types["one_weight_quantized"] == onnx.TensorProto.INT8
    assert types["one_bias_quantized"] == onnx.TensorProto.INT32
    assert types["heatmaps_weight"] == onnx.TensorProto.FLOAT
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("a", "b")]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_what_is_in_eight_bits(make_network):
    graph = trace(deploy(make_network("rt"), ExportOptions(pafs=True)))
    chosen = set(find_int8_operations(graph))
    by_name = {operation.name: operation for operation in graph.operations}
    left = {name for name, operation in by_name.items() if operation.kind == "convolution"} - chosen
    assert {"heatmaps", "pafs"} < left
    first = {name for name in left if name.startswith(("branches_0_0_", "branches_0_1_"))}
    assert all(by_name[name].shape[2:] == (1, 1) for name in left - first - {"heatmaps", "pafs"})
    assert len(chosen) > len(by_name) / 4
