"""Run an exported file as its users will: on the processor, in single precision."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from efficientpose.runtime.engines import load_engine

Outputs = tuple[np.ndarray, ...]
Run = Callable[[Path, np.ndarray], Outputs]
"""File and crops (B, 3, H, W), as the file takes them apart from the order of the axes, to outputs."""


def run_with_runtime(path: Path, images: np.ndarray) -> Outputs:
    """Run a file with our runtime, which also reads what the file says of itself."""
    engine = load_engine(path)
    is_channels_first = engine.metadata.input_layout == "nchw"
    return engine.infer(np.ascontiguousarray(images if is_channels_first else images.transpose(0, 2, 3, 1)))


def run_onnx(path: Path, images: np.ndarray) -> Outputs:
    """Run a file that is made for others with ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return tuple(session.run(None, {session.get_inputs()[0].name: images}))


def run_torchscript(path: Path, images: np.ndarray) -> Outputs:
    """Run a file with PyTorch."""
    import torch

    with torch.no_grad():
        outputs = torch.jit.load(str(path))(torch.from_numpy(images))
    return tuple(output.numpy() for output in outputs)
