"""Put a LiteRT (TensorFlow Lite) model together: tensors, operators, metadata, in one flatbuffer."""

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_LAST_OLD_CODE = 127
_TYPES = {"float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16, "int32": schema.TensorType.INT32}


class ModelBuilder:
    """Collects tensors, known by their index, and the operators between them.

    Args:
        half: Whether to store constants in half precision; what reads them sees them in single precision.
    """

    def __init__(self, *, half: bool = False) -> None:
        self._half = half
        self._buffers = [_make_buffer(b"")]  # the first one is that of tensors without data
        self._tensors: list[schema.TensorT] = []
        self._operators: list[schema.OperatorT] = []
        self._codes: dict[int, int] = {}

    def add_map(self, name: str, shape: Sequence[int]) -> int:
        """Add a tensor that is computed; its first axis, the batch, may be of any length."""
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
        """Add an operator.

        Args:
            name: As in the schema's ``BuiltinOperator``.
            inputs: Tensors.
            output: Tensor.
            options: One of the schema's options; None where the operator has none.
        """
        code = getattr(schema.BuiltinOperator, name)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = list(inputs), [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._operators.append(operator)

    def serialise(self, *, inputs: Sequence[int], outputs: Sequence[int], metadata: Mapping[str, str]) -> bytes:
        """Return the file.

        Args:
            inputs: Tensors the caller sets.
            outputs: Tensors the caller reads.
            metadata: Entries of the metadata table.
        """
        graph = schema.SubGraphT()
        graph.name = "efficientpose"
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        graph.tensors, graph.operators = self._tensors, self._operators
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = "efficientpose"
        model.subgraphs = [graph]
        model.operatorCodes = [_make_operator_code(code) for code in self._codes]
        model.metadata = [self._make_metadata(name, text) for name, text in metadata.items()]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _add_data(self, name: str, values: np.ndarray) -> int:
        self._buffers.append(_make_buffer(np.ascontiguousarray(values).tobytes()))
        return self._add_tensor(name, values.shape, values.dtype.name, buffer=len(self._buffers) - 1)

    def _add_tensor(self, name: str, shape: Sequence[int], kind: str, *, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), _TYPES[kind], buffer
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _make_metadata(self, name: str, text: str) -> schema.MetadataT:
        self._buffers.append(_make_buffer(text.encode()))
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(self._buffers) - 1
        return entry


def _make_buffer(data: bytes) -> schema.BufferT:
    buffer = schema.BufferT()
    if data:
        buffer.data = np.frombuffer(data, np.uint8)
    return buffer


def _make_operator_code(code: int) -> schema.OperatorCodeT:
    entry = schema.OperatorCodeT()
    entry.builtinCode = code
    entry.deprecatedBuiltinCode = min(code, _LAST_OLD_CODE)  # older readers look here
    entry.version = 3 if code == schema.BuiltinOperator.DEQUANTIZE else 1  # from 3 on it takes half precision
    return entry
