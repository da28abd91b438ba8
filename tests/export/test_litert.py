"""The parts of the LiteRT writer that differ from PyTorch in their layout."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

pytest.importorskip("ai_edge_litert")

from ai_edge_litert.interpreter import Interpreter

from efficientpose.export.graph import Graph, Operation
from efficientpose.export.layers import Pads
from efficientpose.export.litert import find_fused, for_depth_to_space, serialise_litert

CONVOLUTION = dict(weight=np.random.default_rng(0).normal(size=(6, 4, 3, 3)).astype(np.float32), bias=np.ones(6, "f4"))
AROUND = Pads(1, 1, 1, 1)


def one_convolution(*followers, shape=(1, 6, 8, 8), pads=AROUND, **settings):
    """A graph of a convolution and of what follows it."""
    name = "heatmaps" if not followers else "convolution"
    first = Operation(
        kind="convolution", name=name, inputs=("images",), shape=shape, weights=CONVOLUTION, pads=pads, **settings
    )
    return Graph(input_shape=(1, 4, 8, 8), operations=(first, *followers), outputs=("heatmaps",))


def run(graph, path, images):
    path.write_bytes(serialise_litert(graph, metadata={}))
    interpreter = Interpreter(str(path))
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, [len(images), 8, 8, 4])
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, np.ascontiguousarray(images.permute(0, 2, 3, 1)))
    interpreter.invoke()
    return torch.from_numpy(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def convolve(images, pads, stride):
    weight, bias = torch.from_numpy(CONVOLUTION["weight"]), torch.from_numpy(CONVOLUTION["bias"])
    return F.conv2d(F.pad(images, tuple(pads)), weight, bias, stride=stride)


@pytest.mark.parametrize(
    ("pads", "stride", "side"),
    [
        (Pads(1, 1, 1, 1), 1, 8),  # TensorFlow's own
        (Pads(0, 1, 0, 1), 2, 4),  # the same with a stride
        (Pads(1, 1, 1, 1), 2, 4),  # not TensorFlow's
        (Pads(0, 0, 0, 0), 1, 6),
    ],
)
def test_padding(tmp_path, pads, stride, side):
    images = torch.randn(2, 4, 8, 8)
    graph = one_convolution(shape=(1, 6, side, side), pads=pads, stride=stride)
    torch.testing.assert_close(run(graph, tmp_path / "a.tflite", images), convolve(images, pads, stride))


def test_activation_is_built_in_only_where_nothing_else_reads_the_convolution(tmp_path):
    relu = Operation(kind="relu6", name="heatmaps", inputs=("convolution",), shape=(1, 6, 8, 8))
    graph = one_convolution(relu)
    assert find_fused(graph) == {"convolution": relu}
    images = 5 * torch.randn(1, 4, 8, 8)
    expected = convolve(images, Pads(1, 1, 1, 1), 1).clamp(0, 6)
    torch.testing.assert_close(run(graph, tmp_path / "a.tflite", images), expected)
    relu = Operation(kind="relu6", name="relu", inputs=("convolution",), shape=(1, 6, 8, 8))
    total = Operation(kind="add", name="heatmaps", inputs=("relu", "convolution"), shape=(1, 6, 8, 8))
    graph = one_convolution(relu, total)
    assert find_fused(graph) == {}
    plain = convolve(images, Pads(1, 1, 1, 1), 1)
    torch.testing.assert_close(run(graph, tmp_path / "b.tflite", images), plain + expected)


@pytest.mark.parametrize("groups", [1, 3])
def test_convolution_before_a_pixel_shuffle(groups):
    """Depth to space takes the four pixels of all maps one after another; a pixel shuffle those of each map."""
    layer = nn.Conv2d(3, 12, 3, groups=groups)
    maps = torch.randn(2, 3, 6, 5)
    weight, bias = for_depth_to_space(layer.weight.detach().numpy(), layer.bias.detach().numpy(), groups=groups)
    four = F.conv2d(maps, torch.from_numpy(weight), torch.from_numpy(bias)).reshape(2, 2, 2, 3, 4, 3)
    ours = four.permute(0, 3, 4, 1, 5, 2).reshape(2, 3, 8, 6)
    torch.testing.assert_close(ours, F.pixel_shuffle(layer(maps), 2).detach())


def test_unknown_operation():
    graph = one_convolution(Operation(kind="resample", name="heatmaps", inputs=("convolution",), shape=(1, 6, 8, 8)))
    with pytest.raises(ValueError, match="'resample' cannot be written as LiteRT"):
        serialise_litert(graph, metadata={})
    graph = one_convolution(groups=2)
    with pytest.raises(ValueError, match="6 channels in 2 groups"):
        serialise_litert(graph, metadata={})
