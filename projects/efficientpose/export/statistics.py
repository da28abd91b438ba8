"""What values the tensors of a network take on real crops: what quantisation is fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from efficientpose.export.graph import INPUT_NAME, Graph
from efficientpose.export.onnx import serialise_onnx

Floats = NDArray[np.float32]

SAMPLES = 4096
"""Places kept of each channel, over all crops."""


@dataclass(frozen=True)
class TensorStatistics:
    """Of one tensor with C channels.

    Attributes:
        low: (C,) smallest value of each channel.
        high: (C,) largest.
        mean: (C,) over all crops and places.
        sample: (C, S) values at random places, the same for all channels of a crop.
    """

    low: Floats
    high: Floats
    mean: Floats
    sample: Floats

    @property
    def largest(self) -> Floats:
        """Largest absolute value of each channel, (C,)."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def divided(self, factors: NDArray[np.floating]) -> "TensorStatistics":
        """Return what they are if each channel is divided by its factor, (C,), positive."""
        positive = factors.astype(np.float32)
        return TensorStatistics(
            self.low / positive, self.high / positive, self.mean / positive, self.sample / positive[:, None]
        )


def collect_statistics(graph: Graph, images: Sequence[Floats]) -> dict[str, TensorStatistics]:
    """Run a network and look at all its tensors.

    Args:
        graph: The network.
        images: Crops as it takes them, (3, H, W) each.

    Returns:
        Statistics by the tensor's name, the input's too.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(_showing_all(graph), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    generator = np.random.default_rng(0)
    collected: dict[str, list[TensorStatistics]] = {}
    for image in images:
        values = dict(zip(names, session.run(None, {INPUT_NAME: image[None]}), strict=True))
        for name, tensor in (values | {INPUT_NAME: image[None]}).items():
            flat = tensor.reshape(tensor.shape[1], -1)
            places = generator.integers(0, flat.shape[1], max(SAMPLES // len(images), 1))
            collected.setdefault(name, []).append(
                TensorStatistics(flat.min(axis=1), flat.max(axis=1), flat.mean(axis=1), flat[:, places])
            )
    return {name: _join(parts) for name, parts in collected.items()}


def _showing_all(graph: Graph) -> bytes:
    """Return an ONNX model that outputs every tensor."""
    model = onnx.load_from_string(serialise_onnx(graph, metadata={}))
    for operation in graph.operations:
        if operation.name not in graph.outputs:
            model.graph.output.append(helper.make_tensor_value_info(operation.name, TensorProto.FLOAT, None))
    serialised: bytes = model.SerializeToString()
    return serialised


def _join(parts: Sequence[TensorStatistics]) -> TensorStatistics:
    return TensorStatistics(
        np.min([part.low for part in parts], axis=0),
        np.max([part.high for part in parts], axis=0),
        np.mean([part.mean for part in parts], axis=0),
        np.concatenate([part.sample for part in parts], axis=1),
    )
