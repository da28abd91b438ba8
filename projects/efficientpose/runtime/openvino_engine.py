"""OpenVINO behind the protocol of :mod:`efficientpose.runtime.engines`."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino

from efficientpose.runtime.engines import EngineError, check_input
from efficientpose.runtime.metadata import METADATA_KEY, ModelMetadata

_DTYPES = {"f32": np.float32, "u8": np.uint8}
_PRECISIONS = {"float32": "f32", "bf16": "bf16", "float16": "f16"}


class OpenVinoEngine:
    """An ``.xml`` with its ``.bin``, or an ``.onnx`` file; see :func:`~efficientpose.runtime.engines.load_engine`.

    The network is compiled for one crop, which is quicker than for any number, and once more for any number when the
    first batch of several comes.
    """

    def __init__(self, file: Path, *, threads: int | None, device: str, precision: str | None) -> None:
        core = openvino.Core()
        try:
            model = core.read_model(str(file))
        except RuntimeError as error:
            raise EngineError(f"{file}: not a model that OpenVINO can load ({_last_line(error)})") from error
        self.metadata = ModelMetadata.from_json(_read_entry(model), source=str(file))
        taken = model.inputs[0]
        dtype = taken.element_type.get_type_name()
        if dtype not in _DTYPES:
            raise EngineError(f"{file}: its input is {dtype}; export it with a float32 or uint8 input")
        self.input_dtype = np.dtype(_DTYPES[dtype])
        shape = taken.partial_shape
        sides = [side.get_length() if side.is_static else None for side in shape] if shape.rank.is_static else []
        self.batch_size = check_input(sides, self.metadata, source=file)
        self._core = core
        self._model = model
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # Where the processor has it, OpenVINO computes in bf16 unless it is told not to.
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision or "float32"],
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        self._device = _find_device(device, core)
        self._for_any: openvino.InferRequest | None = None
        try:
            self._for_one = self._compile(1 if self.batch_size is None else self.batch_size)
        except RuntimeError as error:
            raise EngineError(f"{file}: OpenVINO cannot run it as asked ({_last_line(error)})") from error

    def infer(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the outputs, (B, channels, height, width) each."""
        request = self._for_one
        if self.batch_size is None and len(batch) > 1:
            if self._for_any is None:
                self._for_any = self._compile(-1)
            request = self._for_any
        request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        return tuple(output.data.copy() for output in request.output_tensors)

    def _compile(self, batch_size: int) -> openvino.InferRequest:
        model = self._model.clone()
        _, *sides = model.inputs[0].partial_shape
        model.reshape(openvino.PartialShape([batch_size, *sides]))
        return self._core.compile_model(model, self._device, self._settings).create_infer_request()


def _read_entry(model: openvino.Model) -> str | None:
    """Return our entry; a converted ``.onnx`` file keeps it below "framework"."""
    for path in ([METADATA_KEY], ["framework", METADATA_KEY]):
        if model.has_rt_info(path):
            return str(model.get_rt_info(path).value)
    return None


def _find_device(device: str, core: openvino.Core) -> str:
    name = device.upper()
    if name != "AUTO" and name.partition(".")[0] not in {found.partition(".")[0] for found in core.available_devices}:
        raise EngineError(f"OpenVINO finds no device {device!r}; it finds {', '.join(core.available_devices).lower()}")
    return name


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
