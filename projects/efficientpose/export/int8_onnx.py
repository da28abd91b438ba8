"""Write a quantised network as ONNX, in the form that is called QDQ.

Every tensor of the part in eight bits is rounded (QuantizeLinear) and made a number again (DequantizeLinear); engines
recognise this and compute in eight bits. ONNX Runtime and OpenVINO both read it.
"""

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from efficientpose.export.graph import INPUT_NAME, Operation
from efficientpose.export.int8 import QuantisedGraph
from efficientpose.export.onnx import OnnxWriter, assemble


def serialise_int8_onnx(quantised: QuantisedGraph, *, metadata: dict[str, str]) -> bytes:
    """Return a file whose batch size is free.

    Args:
        quantised: The network.
        metadata: Properties to write into the file.
    """
    return assemble(_QuantisedWriter(quantised), quantised.graph, metadata=metadata)


class _QuantisedWriter(OnnxWriter):
    """Collects nodes and weights of both parts.

    Args:
        quantised: The network.
    """

    def __init__(self, quantised: QuantisedGraph) -> None:
        super().__init__()
        self._quantised = quantised
        self._left_out = set(quantised.merged.values())
        if INPUT_NAME in quantised.scales:
            self._round(INPUT_NAME)

    def add(self, operation: Operation) -> None:
        """Add the nodes of an operation; an activation that is merged into its convolution has none."""
        quantised = self._quantised
        if operation.name in self._left_out:
            return
        before = len(self.nodes)
        super().add(operation)
        computed = quantised.merged.get(operation.name, operation.name)
        for node in self.nodes[before:]:
            if "Linear" not in node.op_type:
                self._redirect(node, {operation.name: computed})
        if computed in quantised.scales:
            self._round(computed)

    def _redirect(self, node: NodeProto, renamed: dict[str, str]) -> None:
        scales = self._quantised.scales
        node.input[:] = [f"{name}_rounded" if name in scales else name for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]

    def _round(self, tensor: str) -> None:
        """Add the nodes that round a tensor."""
        scale, zero = self._quantised.scales[tensor]
        parameters = [f"{tensor}_scale", f"{tensor}_zero"]
        self.weights.append(numpy_helper.from_array(np.array(scale), parameters[0]))
        self.weights.append(numpy_helper.from_array(np.array(zero), parameters[1]))
        self._add_node("QuantizeLinear", [tensor, *parameters], f"{tensor}_steps")
        self._add_node("DequantizeLinear", [f"{tensor}_steps", *parameters], f"{tensor}_rounded")

    def _constant(self, operation: Operation, weight: str) -> str:
        """Add a weight, of a quantised convolution in whole numbers; return the name under which it is found."""
        convolution = self._quantised.convolutions.get(operation.name)
        if convolution is None:
            return super()._constant(operation, weight)
        name = f"{operation.name}_{weight}"
        steps: np.ndarray = convolution.weight
        scales: np.ndarray = convolution.scales
        if weight == "bias":
            steps, scales = convolution.bias, scales * self._quantised.scales[operation.inputs[0]].scale
        parameters: dict[str, np.ndarray] = {
            f"{name}_steps": steps,
            f"{name}_scale": scales,
            f"{name}_zero": np.zeros(len(scales), steps.dtype),
        }
        self.weights += [numpy_helper.from_array(values, each) for each, values in parameters.items()]
        self._add_node("DequantizeLinear", list(parameters), name, axis=0)
        return name

    def _add_node(self, kind: str, inputs: list[str], output: str, *, axis: int | None = None) -> None:
        node = helper.make_node(kind, inputs, [output], name=output)
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.nodes.append(node)
