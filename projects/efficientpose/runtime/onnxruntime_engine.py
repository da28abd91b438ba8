"""ONNX Runtime behind the protocol of :mod:`efficientpose.runtime.engines`."""

from pathlib import Path

import numpy as np
import onnxruntime

from efficientpose.runtime.engines import EngineError, check_input
from efficientpose.runtime.metadata import METADATA_KEY, ModelMetadata

_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """An ``.onnx`` file in ONNX Runtime; see :func:`~efficientpose.runtime.engines.load_engine`."""

    def __init__(self, file: Path, *, threads: int | None, device: str, precision: str | None) -> None:
        if precision not in (None, "float32"):
            raise EngineError(
                f"{file}: ONNX Runtime computes in what the file holds, not in {precision}; OpenVINO can: "
                "engine openvino"
            )
        self._session = open_session(file, threads=threads, device=device)
        entries = self._session.get_modelmeta().custom_metadata_map
        self.metadata = ModelMetadata.from_json(entries.get(METADATA_KEY), source=str(file))
        taken = self._session.get_inputs()[0]
        if taken.type not in _DTYPES:
            raise EngineError(f"{file}: its input is {taken.type}; export it with a float32 or uint8 input")
        self.input_dtype = np.dtype(_DTYPES[taken.type])
        self.batch_size = check_input(taken.shape, self.metadata, source=file)
        self._input_name = taken.name

    def infer(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the outputs, (B, channels, height, width) each."""
        return tuple(self._session.run(None, {self._input_name: batch}))


def open_session(file: Path, *, threads: int | None, device: str) -> onnxruntime.InferenceSession:
    """Load any ``.onnx`` file.

    Raises:
        EngineError: If ONNX Runtime cannot run it, or not on the device.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    providers = _providers(device)
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # its exceptions have no base of their own
        raise EngineError(f"{file}: not a model that ONNX Runtime can load ({error})") from error


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise EngineError(f'ONNX Runtime runs on "cpu", "cuda" or "cuda:1", not {device!r}')
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise EngineError(f'device {device!r} needs ONNX Runtime\'s build for CUDA (onnxruntime-gpu); try "cpu"')
    return [("CUDAExecutionProvider", {"device_id": number or "0"}), "CPUExecutionProvider"]
