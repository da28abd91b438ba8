"""Write a deployed network as LiteRT (TensorFlow Lite), channels last.

The network needs a dozen operators, for which LiteRT's own converter would bring jax and more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from efficientpose.export.folding import same_pads
from efficientpose.export.graph import INPUT_NAME, Graph, Operation
from efficientpose.export.layers import NO_PADS

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_LAST_OLD_CODE = 127
_TYPES = {"float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16, "int32": schema.TensorType.INT32}


class ModelBuilder:
    """Collects tensors, known by their index, and the operators between them.

    With ``half`` constants are stored in half precision; operators read them widened to single precision.
    """

    def __init__(self, *, half: bool = False) -> None:
        self._half = half
        self._buffers = [schema.BufferT()]  # the first one is that of tensors without data
        self._tensors: list[schema.TensorT] = []
        self._operators: list[schema.OperatorT] = []
        self._codes: dict[int, int] = {}

    def add_map(self, name: str, shape: Sequence[int]) -> int:
        """Add a tensor that is computed; its first axis, the batch, may have any length."""
        tensor = self._add_tensor(name, shape, "float32", buffer=0)
        self._tensors[tensor].shapeSignature = [-1, *shape[1:]]
        return tensor

    def add_constant(self, name: str, values: np.ndarray) -> int:
        """Add a tensor with data."""
        if not (self._half and values.dtype == np.float32):
            return self._add_data(name, values)
        stored = self._add_data(f"{name}_half", values.astype(np.float16))
        widened = self._add_tensor(name, values.shape, "float32", buffer=0)
        self.add_operator("DEQUANTIZE", [stored], widened, schema.DequantizeOptionsT())
        return widened

    def add_operator(self, name: str, inputs: Sequence[int], output: int, options: Any = None) -> None:
        """Add one of the schema's ``BuiltinOperator``, by name, with its options if it has any."""
        code = getattr(schema.BuiltinOperator, name)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = list(inputs), [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._operators.append(operator)

    def serialise(self, *, inputs: Sequence[int], outputs: Sequence[int], metadata: Mapping[str, str]) -> bytes:
        """Return the file with its metadata table; inputs and outputs are tensors."""
        graph = schema.SubGraphT()
        graph.name = "efficientpose"
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        graph.tensors, graph.operators = self._tensors, self._operators
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = "efficientpose"
        model.subgraphs = [graph]
        model.operatorCodes = [_make_operator_code(code) for code in self._codes]
        model.metadata = []
        for name, text in metadata.items():
            entry = schema.MetadataT()
            entry.name, entry.buffer = name, self._add_buffer(text.encode())
            model.metadata.append(entry)
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _add_data(self, name: str, values: np.ndarray) -> int:
        return self._add_tensor(name, values.shape, values.dtype.name, buffer=self._add_buffer(values.tobytes()))

    def _add_tensor(self, name: str, shape: Sequence[int], kind: str, *, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), _TYPES[kind], buffer
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _add_buffer(self, data: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1


def _make_operator_code(code: int) -> schema.OperatorCodeT:
    entry = schema.OperatorCodeT()
    entry.builtinCode = code
    entry.deprecatedBuiltinCode = min(code, _LAST_OLD_CODE)  # older readers look here
    entry.version = 3 if code == schema.BuiltinOperator.DEQUANTIZE else 1  # from 3 on it takes half precision
    return entry


_ACTIVATIONS = {"relu": schema.ActivationFunctionType.RELU, "relu6": schema.ActivationFunctionType.RELU6}


def serialise_litert(graph: Graph, *, metadata: dict[str, str], half: bool = False) -> bytes:
    """Return a file that takes (B, height, width, 3) and gives (B, channels, height, width); the batch size is free.

    With ``half`` the weights are stored in half precision; the arithmetic stays in single precision. Raises ValueError
    if the network has an operation that is not written here.
    """
    writer = _Writer(graph, half=half)
    for operation in graph.operations:
        writer.translate(operation)
    return writer.serialise(metadata)


def find_fused(graph: Graph) -> dict[str, Operation]:
    """Return convolution → the only operation that reads it, where that is an activation LiteRT's convolution has."""
    readers = [name for operation in graph.operations for name in operation.inputs]
    convolutions = {
        operation.name
        for operation in graph.operations
        if operation.kind == "convolution" and readers.count(operation.name) == 1
    }
    return {
        operation.inputs[0]: operation
        for operation in graph.operations
        if operation.kind in _ACTIVATIONS and operation.inputs[0] in convolutions
    }


class _Writer:
    """Translates operations; ``tensors`` has the index of the tensor that holds each output."""

    def __init__(self, graph: Graph, *, half: bool) -> None:
        self.graph = graph
        self.shapes = graph.shapes
        self.fused = find_fused(graph)
        self.built_in = {operation.name for operation in self.fused.values()}
        self.shuffled = {operation.inputs[0] for operation in graph.operations if operation.kind == "pixel_shuffle"}
        self.model = ModelBuilder(half=half)
        self.tensors: dict[str, int] = {}
        self.input = self._add_result(INPUT_NAME)

    def _add_result(self, name: str) -> int:
        batch, channels, height, width = self.shapes[name]
        # the outputs' names are those of the tensors turned to channels first
        shown = f"{name}_channels_last" if name in self.graph.outputs else name
        self.tensors[name] = self.model.add_map(shown, (batch, height, width, channels))
        return self.tensors[name]

    def translate(self, operation: Operation) -> None:
        """Add an operation."""
        name, kind = operation.name, operation.kind
        inputs = [self.tensors[each] for each in operation.inputs if each in self.tensors]
        if name in self.built_in:
            return
        if kind == "convolution":
            self._convolve(operation, inputs[0])
            return
        if kind == "silu":
            _, channels, height, width = operation.shape
            sigmoid = self.model.add_map(f"{name}_sigmoid", (1, height, width, channels))
            self.model.add_operator("LOGISTIC", inputs, sigmoid)
            inputs.append(sigmoid)
        elif kind == "shift":
            shift = operation.weights["shift"].transpose(0, 2, 3, 1)
            inputs.append(self.model.add_constant(f"{name}_shift", shift))
        elif kind == "global_mean":
            inputs.append(self.model.add_constant(f"{name}_axes", np.array([1, 2], np.int32)))
        code, options = _operator(kind)
        self.model.add_operator(code, inputs, self._add_result(name), options)

    def _convolve(self, operation: Operation, source: int) -> None:
        name, groups = operation.name, operation.groups
        weight, bias = operation.weights["weight"], operation.weights["bias"]
        if name in self.shuffled:
            weight, bias = for_depth_to_space(weight, bias, groups=groups)
            groups = 1
        is_depthwise = groups > 1
        if is_depthwise and groups != len(weight):
            raise ValueError(f"{name}: {len(weight)} channels in {groups} groups cannot be written as LiteRT")
        options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
        options.depthMultiplier = 1
        options.dilationHFactor = options.dilationWFactor = 1
        options.strideH = options.strideW = operation.stride
        source, options.padding = self._pad(operation, source)
        if activation := self.fused.get(name):
            options.fusedActivationFunction = _ACTIVATIONS[activation.kind]
        # (1, h, w, channels) and (out, h, w, in)
        kernel = weight.transpose((1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1))
        constants = [self.model.add_constant(f"{name}_weight", kernel), self.model.add_constant(f"{name}_bias", bias)]
        code = "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D"
        output = self._add_result(activation.name if activation else name)
        self.model.add_operator(code, [source, *constants], output, options)

    def _pad(self, operation: Operation, source: int) -> tuple[int, int]:
        """Return a convolution's input and kind of padding; a PAD is added where LiteRT has no such padding."""
        _, channels, height, width = self.shapes[operation.inputs[0]]
        kernel_height, kernel_width = operation.weights["weight"].shape[2:]
        if operation.pads == same_pads((width, height), (kernel_width, kernel_height), stride=operation.stride):
            return source, schema.Padding.SAME
        if operation.pads == NO_PADS:
            return source, schema.Padding.VALID
        left, right, top, bottom = operation.pads
        padded = self.model.add_map(
            f"{operation.name}_padded", (1, height + top + bottom, width + left + right, channels)
        )
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        constant = self.model.add_constant(f"{operation.name}_pads", amounts)
        self.model.add_operator("PAD", [source, constant], padded, schema.PadOptionsT())
        return padded, schema.Padding.VALID

    def serialise(self, metadata: dict[str, str]) -> bytes:
        """Transpose the outputs to channels first and return the file."""
        order = self.model.add_constant("channels_first", np.array([0, 3, 1, 2], np.int32))
        outputs = [self.model.add_map(name, self.shapes[name]) for name in self.graph.outputs]
        for name, output in zip(self.graph.outputs, outputs, strict=True):
            self.model.add_operator("TRANSPOSE", [self.tensors[name], order], output, schema.TransposeOptionsT())
        return self.model.serialise(inputs=[self.input], outputs=outputs, metadata=metadata)


def for_depth_to_space(weight: np.ndarray, bias: np.ndarray, *, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Rearrange a convolution in front of a pixel shuffle: without groups, and channels by pixel, then by keypoint.

    ``weight`` (4 · K, in / groups, h, w) and ``bias`` (4 · K,) have channels by keypoint, then by pixel; ``groups`` is
    1 or K.
    """
    dense = weight
    if groups > 1:
        dense = np.zeros((len(weight), groups, *weight.shape[2:]), weight.dtype)
        channels = np.arange(len(weight))
        dense[channels, channels // 4] = weight[:, 0]
    pixels_first = np.arange(len(weight)).reshape(-1, 4).T.ravel()
    return np.ascontiguousarray(dense[pixels_first]), bias[pixels_first]


def _operator(kind: str) -> tuple[str, Any]:
    """Return the LiteRT operator of a kind of operation, and its options."""
    if kind == "average_pool":
        pool = schema.Pool2DOptionsT()
        pool.filterHeight = pool.filterWidth = pool.strideH = pool.strideW = 2
        pool.padding = schema.Padding.VALID
        return "AVERAGE_POOL_2D", pool
    if kind == "concatenate":
        concatenation = schema.ConcatenationOptionsT()
        concatenation.axis = 3
        return "CONCATENATION", concatenation
    if kind == "pixel_shuffle":
        shuffle = schema.DepthToSpaceOptionsT()
        shuffle.blockSize = 2
        return "DEPTH_TO_SPACE", shuffle
    if kind == "global_mean":
        reducer = schema.ReducerOptionsT()
        reducer.keepDims = True
        return "MEAN", reducer
    simple = {
        "add": ("ADD", schema.AddOptionsT()),
        "shift": ("ADD", schema.AddOptionsT()),
        "multiply": ("MUL", schema.MulOptionsT()),
        "silu": ("MUL", schema.MulOptionsT()),
        "sigmoid": ("LOGISTIC", None),
        "relu": ("RELU", None),
        "relu6": ("RELU6", None),
    }
    if kind not in simple:
        raise ValueError(f"the operation {kind!r} cannot be written as LiteRT")
    return simple[kind]
