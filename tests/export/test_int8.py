"""Quantisation: exact where it claims to be, better than plain rounding, and what runs is what was meant."""

from dataclasses import replace

import numpy as np
import pytest

from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.graph import Graph, Operation, trace
from efficientpose.export.rounding import ValueScale, find_scale, quantise_convolution

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from efficientpose.export.equalisation import equalise  # noqa: E402
from efficientpose.export.int8 import find_int8_operations, quantise  # noqa: E402
from efficientpose.export.int8_onnx import serialise_int8_onnx  # noqa: E402
from efficientpose.export.onnx import serialise_onnx  # noqa: E402
from efficientpose.export.statistics import SAMPLES, TensorStatistics, collect_statistics  # noqa: E402


def make_statistics(sample):
    sample = np.asarray(sample, np.float32)
    return TensorStatistics(sample.min(axis=1), sample.max(axis=1), sample.mean(axis=1), sample)


def convolution(name, read, weight, bias=None, side=8, groups=1):
    weight = np.asarray(weight, np.float32)
    if weight.ndim == 2:
        weight = weight[:, :, None, None]
    bias = np.zeros(len(weight)) if bias is None else bias
    weights = {"weight": weight, "bias": np.asarray(bias, np.float32)}
    shape = (1, len(weight), side, side)
    return Operation(kind="convolution", name=name, inputs=(read,), shape=shape, weights=weights, groups=groups)


def make_graph(seed=0):
    """Convolutions around an addition and a concatenation; the channels of "narrow" are 1000 times apart."""
    generator = np.random.default_rng(seed)
    reach = np.array([0.1, 1, 10, 100])

    def draw(num_out, num_in):
        return generator.normal(size=(num_out, num_in))

    shape = (1, 4, 8, 8)
    operations = (
        convolution("first", "images", draw(4, 3)),
        Operation(kind="relu6", name="act", inputs=("first",), shape=shape),
        convolution("narrow", "act", draw(4, 4) * reach[:, None], generator.normal(size=4)),
        convolution("other", "act", draw(4, 4) * reach[:, None]),
        Operation(kind="add", name="sum", inputs=("narrow", "other"), shape=shape),
        Operation(kind="concatenate", name="joined", inputs=("sum", "act"), shape=(1, 8, 8, 8)),
        convolution("heatmaps", "joined", draw(2, 8) / np.r_[reach, np.ones(4)], [1, -1]),
    )
    return Graph(input_shape=(1, 3, 8, 8), operations=operations, outputs=("heatmaps",))


def draw_images(count=16, side=8, seed=1):
    return list(np.random.default_rng(seed).normal(size=(count, 3, side, side)).astype(np.float32))


def run(serialised, images):
    session = ort.InferenceSession(serialised, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": np.stack(images)})[0]


def test_statistics_of_every_tensor():
    graph, images = make_graph(), draw_images()
    statistics = collect_statistics(graph, images)
    assert statistics.keys() == graph.shapes.keys()
    given = np.stack(images)
    np.testing.assert_array_equal(statistics["images"].low, given.min(axis=(0, 2, 3)))
    np.testing.assert_allclose(statistics["images"].mean, given.mean(axis=(0, 2, 3)), atol=1e-6)
    heatmaps = run(serialise_onnx(graph, metadata={}), images)
    np.testing.assert_allclose(statistics["heatmaps"].high, heatmaps.max(axis=(0, 2, 3)), rtol=1e-5)
    assert statistics["joined"].sample.shape == (8, SAMPLES)


def test_equalisation_changes_nothing_but_ranges():
    graph, images = make_graph(), draw_images()
    before = collect_statistics(graph, images)
    balanced, told = equalise(graph, before)
    expected, given = (run(serialise_onnx(each, metadata={}), images) for each in (graph, balanced))
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
    after = collect_statistics(balanced, images)
    for name, each in after.items():
        np.testing.assert_allclose(told[name].largest, each.largest, rtol=1e-4)
    spread = [np.ptp(np.log10(each["sum"].largest)) for each in (before, after)]
    assert spread[0] > 2.5
    assert spread[1] < 1
    np.testing.assert_array_equal(after["act"].largest, before["act"].largest)  # not linear: stays


def test_scale_is_exact_for_values_on_a_grid():
    steps = np.arange(256)
    scale = find_scale(make_statistics([(steps - 100) / 64]))
    assert scale == ValueScale(np.float32(1 / 64), 100)
    assert find_scale(make_statistics([steps / 255.0])) == ValueScale(np.float32(1 / 255), 0)


def test_scale_cuts_a_lonely_outlier():
    """Somewhat less than the range costs one value, once in 60,000, and gives finer steps to all others."""
    values = np.clip(np.random.default_rng(0).normal(size=60_000), -4, 4)
    assert find_scale(make_statistics([np.r_[values, -8.0]])).scale < 0.95 * 12 / 255
    evenly = np.linspace(-4, 4, 60_000)
    assert find_scale(make_statistics([evenly])).scale == np.float32(8 / 255)


def test_zero_is_exact_and_constants_are_no_problem():
    for values in ([3.0, 5.0], [-5.0, -3.0], [0.0, 0.0]):
        scale = find_scale(make_statistics([values]))
        assert np.isfinite(scale.scale)
        assert scale.scale > 0
        assert 0 <= scale.zero <= 255


def test_weights_by_hand():
    # inputs that are not correlated: plain rounding, with the largest weight at 127
    read = make_statistics([[1.0, -1, 1, -1], [1, 1, -1, -1]])
    operation = convolution("c", "images", [[127, 10.4]], [5.0])
    result = quantise_convolution(operation, read, ValueScale(np.float32(0.5), 0))
    assert result.weight[0, :, 0, 0].tolist() == [127, 10]
    assert result.scales.tolist() == [1]
    assert result.bias.tolist() == [10]  # 5 in steps of 0.5; the inputs' means are 0


def test_an_error_is_passed_to_a_correlated_input():
    """0.4 and 0.4 of two inputs that are always equal are 0 and 1, not 0 and 0."""
    alike = np.random.default_rng(0).normal(size=1000)
    read = make_statistics([np.random.default_rng(1).normal(size=1000) * 9, alike, alike])
    result = quantise_convolution(convolution("c", "images", [[127, 0.4, 0.4]]), read, ValueScale(np.float32(1), 0))
    assert sorted(result.weight[0, 1:, 0, 0].tolist()) == [0, 1]


@pytest.mark.parametrize("groups", [1, 2])
def test_bias_takes_what_rounding_loses_on_average(groups):
    read = make_statistics([[2.0, 2, 2, 2], [4.0, 4, 4, 4]])
    taps = [127, 0.4, 0, 0, 0, 0, 0, 0, 0]  # 3 x 3, whose errors are not passed on
    shape = (2, 2 // groups, 3, 3)
    weight = np.tile(taps, (2, 2 // groups)).reshape(shape)
    operation = convolution("c", "images", weight, groups=groups)
    result = quantise_convolution(operation, read, ValueScale(np.float32(0.1), 0))
    assert result.weight.reshape(-1, 9)[:, :2].tolist() == [[127, 0]] * (4 // groups)
    lost = [0.4 * 2 + 0.4 * 4] * 2 if groups == 1 else [0.4 * 2, 0.4 * 4]
    np.testing.assert_array_equal(result.bias, np.rint(np.array(lost) / 0.1))


def test_a_channel_without_weights_keeps_its_bias():
    read = make_statistics([[1.0, -1]])
    operation = convolution("c", "images", [[1e-12], [0]], [3, -3])
    result = quantise_convolution(operation, read, ValueScale(np.float32(1), 0))
    np.testing.assert_allclose(result.bias * result.scales.astype(float), [3, -3], rtol=1e-6)


def test_better_than_plain_rounding():
    """Against the largest and smallest value for the range, and the nearest whole number for each weight."""
    graph, images, others = make_graph(), draw_images(), draw_images(seed=2)
    ours = quantise(graph, images)
    statistics = collect_statistics(graph, images)
    plain_scales = {}
    for name in ours.scales:
        low, high = min(statistics[name].low.min(), 0), max(statistics[name].high.max(), 0)
        plain_scales[name] = ValueScale(np.float32((high - low) / 255), np.uint8(round(-low / (high - low) * 255)))
    plain_weights = {}
    for operation in graph.operations:
        if operation.name in ours.convolutions:
            weight, bias = operation.weights["weight"], operation.weights["bias"]
            scales = np.abs(weight).max(axis=(1, 2, 3)) / 127
            plain_weights[operation.name] = ours.convolutions[operation.name]._replace(
                weight=np.rint(weight / scales[:, None, None, None]).astype(np.int8),
                scales=scales,
                bias=np.rint(bias / scales / plain_scales[operation.inputs[0]].scale).astype(np.int32),
            )
    plain = replace(ours, graph=graph, scales=plain_scales, convolutions=plain_weights)
    expected = run(serialise_onnx(graph, metadata={}), others)
    errors = [
        np.sqrt(np.square(run(serialise_int8_onnx(each, metadata={}), others) - expected).mean())
        for each in (ours, plain)
    ]
    assert errors[0] < 0.05 * expected.std()
    assert errors[0] < errors[1] / 2


def test_what_is_in_eight_bits(make_network):
    graph = trace(deploy(make_network("rt"), ExportOptions(pafs=True)))
    chosen = find_int8_operations(graph)
    by_name = {operation.name: operation for operation in graph.operations}
    left = {name for name, operation in by_name.items() if operation.kind == "convolution"} - chosen
    assert {"heatmaps", "pafs"} < left
    first = {name for name in left if name.startswith(("branches_0_0_", "branches_0_1_"))}
    assert all(by_name[name].shape[2:] == (1, 1) for name in left - first - {"heatmaps", "pafs"})
    assert len(chosen) > len(by_name) / 4


def test_nodes_of_the_file():
    model = onnx.load_from_string(serialise_int8_onnx(quantise(make_graph(), draw_images()), metadata={"a": "b"}))
    kinds = [node.op_type for node in model.graph.node if "Linear" not in node.op_type]
    assert kinds == ["Conv", "Conv", "Conv", "Add", "Concat", "Conv"]  # the range of values stands in for ReLU6
    types = {each.name: each.data_type for each in model.graph.initializer}
    assert types["narrow_weight_steps"] == onnx.TensorProto.INT8
    assert types["narrow_bias_steps"] == onnx.TensorProto.INT32
    assert types["heatmaps_weight"] == onnx.TensorProto.FLOAT
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("a", "b")]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
