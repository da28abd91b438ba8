"""Run an exported file as its users will: on the processor, in single precision, in batches of several sizes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from efficientpose.runtime.engines import load_engine

Outputs = tuple[np.ndarray, ...]
Run = Callable[[Path, Sequence[np.ndarray]], list[Outputs]]
"""File and batches of crops (B, 3, H, W), as the file takes them but for the axes' order, to the outputs of each."""


def run_with_runtime(path: Path, batches: Sequence[np.ndarray]) -> list[Outputs]:
    """Run a file with our runtime, which also reads what the file says of itself."""
    engine = load_engine(path)
    if engine.metadata.input_layout == "nhwc":
        batches = [images.transpose(0, 2, 3, 1) for images in batches]
    return [engine.infer(np.ascontiguousarray(images)) for images in batches]


def run_onnx(path: Path, batches: Sequence[np.ndarray]) -> list[Outputs]:
    """Run a file that is made for others with ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    return [tuple(session.run(None, {taken.name: images})) for images in batches]


def run_torchscript(path: Path, batches: Sequence[np.ndarray]) -> list[Outputs]:
    """Run a file with PyTorch."""
    import torch

    network = torch.jit.load(str(path))
    with torch.no_grad():
        return [tuple(output.numpy() for output in network(torch.from_numpy(images))) for images in batches]
