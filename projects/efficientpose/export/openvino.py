"""Write a deployed network as OpenVINO's intermediate representation, by way of ONNX."""

from io import BytesIO
from pathlib import Path

import openvino

from efficientpose.export.graph import Graph
from efficientpose.export.onnx import serialise_onnx


def write_openvino(graph: Graph, path: Path, *, metadata: dict[str, str], half: bool = False) -> None:
    """Write ``path`` and, beside it, the weights (.bin); the batch size is free.

    Args:
        graph: The network.
        path: Where to; ends in .xml.
        metadata: Entries of the file's ``rt_info``.
        half: Whether to store the weights in half precision; a processor computes in the precision it is asked for.
    """
    convert_onnx(serialise_onnx(graph, metadata={}), path, metadata=metadata, half=half)


def convert_onnx(serialised: bytes, path: Path, *, metadata: dict[str, str], half: bool = False) -> None:
    """Write an ONNX model as :func:`write_openvino` does; arguments as there."""
    model = openvino.Core().read_model(BytesIO(serialised))
    for key, value in metadata.items():
        model.set_rt_info(value, key)
    openvino.save_model(model, path, compress_to_fp16=half)
