"""LiteRT (TensorFlow Lite) behind the protocol of :mod:`efficientpose.runtime.engines`."""

import struct
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from efficientpose.runtime.engines import EngineError, check_input
from efficientpose.runtime.metadata import METADATA_KEY, ModelMetadata

_FILE_MARK = b"TFL3"


class LiteRtEngine:
    """A ``.tflite`` file in LiteRT; see :func:`~efficientpose.runtime.engines.load_engine`."""

    def __init__(self, file: Path, *, threads: int | None, device: str, precision: str | None) -> None:
        if device != "cpu":
            raise EngineError(f'LiteRT runs on "cpu" here, not {device!r}')
        if precision not in (None, "float32"):
            raise EngineError(f"{file}: LiteRT computes in what the file holds, not in {precision}")
        self.metadata = ModelMetadata.from_json(_read_entry(file), source=str(file))
        try:
            self._interpreter = Interpreter(str(file), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"{file}: not a model that LiteRT can load ({error})") from error
        (taken,) = self._interpreter.get_input_details()
        given = self._interpreter.get_output_details()
        dtypes = {np.dtype(details["dtype"]) for details in (taken, *given)}
        if not dtypes <= {np.dtype(np.float32), np.dtype(np.uint8)}:
            raise EngineError(f"{file}: its input and outputs must be float32, not {', '.join(map(str, dtypes))}")
        self.input_dtype = np.dtype(taken["dtype"])
        signature = [int(side) for side in taken["shape_signature"]]
        self.batch_size = check_input(signature, self.metadata, source=file)
        self._input = taken["index"]
        self._outputs = [details["index"] for details in given]
        self._allocated = tuple(taken["shape"])

    def infer(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the outputs, (B, channels, height, width) each."""
        if batch.shape != self._allocated:
            self._interpreter.resize_tensor_input(self._input, batch.shape)
            self._interpreter.allocate_tensors()
            self._allocated = batch.shape
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return tuple(self._interpreter.get_tensor(index) for index in self._outputs)


def _read_entry(file: Path) -> str | None:
    data = file.read_bytes()
    if data[4:8] != _FILE_MARK:
        raise EngineError(f"{file}: not a LiteRT model")
    try:
        model = schema.Model.GetRootAs(data, 0)
        for index in range(model.MetadataLength()):
            entry = model.Metadata(index)
            if entry.Name() == METADATA_KEY.encode():
                return bytes(model.Buffers(entry.Buffer()).DataAsNumpy()).decode()
    except (struct.error, IndexError, TypeError, ValueError) as error:  # places that the file points to lie outside it
        raise EngineError(f"{file}: it is cut off or damaged; copy it again from where it came") from error
    return None
