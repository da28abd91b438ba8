"""Run an exported network: one small protocol, with an inference engine behind it that the file's ending chooses."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol, get_args

import numpy as np

from efficientpose.runtime.metadata import MetadataError, ModelMetadata

EngineName = Literal["onnxruntime", "openvino", "litert"]
Precision = Literal["float32", "bf16", "float16"]


class EngineError(ValueError):
    """An engine cannot run a model file; the message names both and says what would be right."""


class Engine(Protocol):
    """A loaded network."""

    metadata: ModelMetadata
    input_dtype: np.dtype
    batch_size: int | None  # crops that it takes at once; None for any number

    def infer(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the network's outputs, each (B, channels, height, width), for a batch in its layout."""
        ...


class _Package(NamedTuple):
    title: str
    module: str
    class_name: str
    extra: str
    suffixes: tuple[str, ...]


_ENGINES: Final[dict[EngineName, _Package]] = {
    "onnxruntime": _Package("ONNX Runtime", "onnxruntime_engine", "OnnxRuntimeEngine", "runtime", (".onnx",)),
    "openvino": _Package("OpenVINO", "openvino_engine", "OpenVinoEngine", "openvino", (".xml", ".onnx")),
    "litert": _Package("LiteRT", "litert_engine", "LiteRtEngine", "litert", (".tflite",)),
}
MODEL_SUFFIXES: Final = frozenset(suffix for package in _ENGINES.values() for suffix in package.suffixes)


def load_engine(
    file: Path,
    *,
    engine: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
    precision: str | None = None,
) -> Engine:
    """Load an exported model file.

    Args:
        file: ``.onnx``, OpenVINO's ``.xml`` with its ``.bin`` beside it, or ``.tflite``.
        engine: "onnxruntime", "openvino" or "litert"; None takes the first that reads the file's format. OpenVINO reads
            ``.onnx`` as well.
        threads: Threads of the network; None leaves it to the engine, which takes all cores.
        device: "cpu"; ONNX Runtime knows "cuda" and "cuda:1" too, OpenVINO "gpu", "npu" and "auto".
        precision: What the arithmetic is done in, where the engine can choose: "float32", or with OpenVINO "bf16" or
            "float16", quicker on processors that have it. None is "float32".

    Raises:
        FileNotFoundError: If the file is not there.
        MetadataError: If it does not say how to use it, or takes or gives something else than it says.
        EngineError: If it is a folder, or the engine is unknown, not installed, or cannot run the file as asked.
    """
    if file.is_dir():
        raise EngineError(f"{file}: a folder, not a model file; name the file in it")
    if not file.is_file():
        raise FileNotFoundError(2, "no such model file", str(file))
    if threads is not None and threads < 1:
        raise EngineError(f"threads must be 1 or more, got {threads}")
    if precision is not None and precision not in get_args(Precision):
        raise EngineError(f"precision is one of {', '.join(get_args(Precision))}, not {precision!r}")
    package = _ENGINES[_choose(file, engine)]
    try:
        module = importlib.import_module(f"efficientpose.runtime.{package.module}")
    except ModuleNotFoundError as error:
        message = f'{file}: running it needs {package.title}: pip install "efficientpose[{package.extra}]"'
        raise EngineError(message) from error
    loaded: Engine = getattr(module, package.class_name)(file, threads=threads, device=device, precision=precision)
    return loaded


def _choose(file: Path, engine: str | None) -> EngineName:
    suffix = file.suffix.lower()
    able = [name for name, package in _ENGINES.items() if suffix in package.suffixes]
    if not able:
        known = ", ".join(sorted(MODEL_SUFFIXES))
        raise EngineError(f"{file}: no engine reads files that end in {suffix!r}; it takes {known}")
    if engine is None:
        return able[0]
    if engine not in _ENGINES:
        raise EngineError(f"unknown engine {engine!r}: choose one of {', '.join(_ENGINES)}")
    for name in able:
        if name == engine:
            return name
    raise EngineError(f"{file}: {_ENGINES[engine].title} does not read it; choose {' or '.join(able)}")


def check_input(shape: Sequence[object], metadata: ModelMetadata, *, source: Path) -> int | None:
    """Check an input's shape, in which what is no number may be any; return the batch size, None for any.

    Raises:
        MetadataError: If the network takes something else than its metadata promises.
    """
    width, height = metadata.input_size
    expected = (3, height, width) if metadata.input_layout == "nchw" else (height, width, 3)
    sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
    fits = len(sides) == 4 and all(side in (None, promised) for side, promised in zip(sides[1:], expected, strict=True))
    if not fits:
        given = " x ".join("?" if side is None else str(side) for side in sides)
        raise MetadataError(
            f"{source}: its input is {given}, not the batch of {' x '.join(map(str, expected))} that its entry says; "
            "export it again"
        )
    return sides[0]
