"""Write a deployed network as ONNX, and an ONNX file as OpenVINO's intermediate representation."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from efficientpose.export.graph import INPUT_NAME, Graph, Operation

OPSET = 17
IR_VERSION = 8  # both of 2022: ONNX Runtime from 1.12 and TensorRT from 8.5 read it

_SIMPLE = {
    "add": "Add",
    "multiply": "Mul",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "global_mean": "GlobalAveragePool",
}


def serialise_onnx(graph: Graph, *, metadata: dict[str, str], half: bool = False) -> bytes:
    """Return a network as an ONNX file, with ``metadata`` as its properties, whose batch size is free.

    With ``half`` the weights are stored in half precision; the arithmetic stays in single precision.
    """
    writer = _Writer(half=half)
    for operation in graph.operations:
        writer.add(operation)
    shapes = graph.shapes
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            "efficientpose",
            [_describe(INPUT_NAME, graph.input_shape)],
            [_describe(name, shapes[name]) for name in graph.outputs],
            writer.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="efficientpose",
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _describe(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape[1:]])


class _Writer:
    """Collects nodes and weights."""

    def __init__(self, *, half: bool) -> None:
        self._half = half
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operation: Operation) -> None:
        """Add the nodes of an operation."""
        for node in self._translate(operation):
            node.name = node.output[0]
            self.nodes.append(node)

    def _translate(self, operation: Operation) -> Iterator[onnx.NodeProto]:
        name, inputs = operation.name, list(operation.inputs)
        match operation.kind:
            case "convolution":
                yield self._convolution(operation)
            case "silu":
                yield helper.make_node("Sigmoid", inputs, [f"{name}_sigmoid"])
                yield helper.make_node("Mul", [*inputs, f"{name}_sigmoid"], [name])
            case "relu6":
                bounds = [self._scalar("zero", 0.0), self._scalar("six", 6.0)]
                yield helper.make_node("Clip", [*inputs, *bounds], [name])
            case "concatenate":
                yield helper.make_node("Concat", inputs, [name], axis=1)
            case "average_pool":
                yield helper.make_node("AveragePool", inputs, [name], kernel_shape=[2, 2], strides=[2, 2])
            case "pixel_shuffle":
                yield helper.make_node("DepthToSpace", inputs, [name], blocksize=2, mode="CRD")
            case "shift":
                yield helper.make_node("Add", [*inputs, self._constant(operation, "shift")], [name])
            case "resample":
                rows, columns = self._constant(operation, "rows"), self._constant(operation, "columns")
                yield helper.make_node("MatMul", [rows, *inputs], [f"{name}_between"])
                yield helper.make_node("MatMul", [f"{name}_between", columns], [name])
            case simple:
                yield helper.make_node(_SIMPLE[simple], inputs, [name])

    def _convolution(self, operation: Operation) -> onnx.NodeProto:
        left, right, top, bottom = operation.pads
        return helper.make_node(
            "Conv",
            [*operation.inputs, self._constant(operation, "weight"), self._constant(operation, "bias")],
            [operation.name],
            kernel_shape=operation.weights["weight"].shape[2:],
            strides=[operation.stride] * 2,
            pads=[top, left, bottom, right],
            group=operation.groups,
        )

    def _constant(self, operation: Operation, weight: str) -> str:
        """Add a weight; return the name under which it is found."""
        name = f"{operation.name}_{weight}"
        values = operation.weights[weight]
        if not self._half:
            self.weights.append(numpy_helper.from_array(values, name))
            return name
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        self.nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], name=name, to=TensorProto.FLOAT))
        return name

    def _scalar(self, name: str, value: float) -> str:
        if name not in (weight.name for weight in self.weights):
            self.weights.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name


def convert_to_openvino(serialised: bytes, path: Path, *, metadata: dict[str, str], half: bool = False) -> None:
    """Write an ONNX model in OpenVINO's format: ``path`` (.xml), with ``metadata`` in ``rt_info``, and weights (.bin).

    With ``half`` the weights are stored in half precision; the arithmetic is chosen when the file is run.
    """
    import openvino

    model = openvino.Core().read_model(BytesIO(serialised))
    for key, value in metadata.items():
        model.set_rt_info(value, key)
    openvino.save_model(model, path, compress_to_fp16=half)
