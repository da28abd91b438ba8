"""Export a network in eight bits: write each format, compare it with the model, and leave the verdict to the caller."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmpose.models.pose_estimators import TopdownPoseEstimator

from efficientpose.core.files import make_writable_folder
from efficientpose.export.calibration import CalibrationCrops
from efficientpose.export.check import expect, feed, find_peaks
from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.drift import Drift, measure_drift
from efficientpose.export.files import FORMATS, check_formats, describe, file_stem
from efficientpose.export.graph import trace
from efficientpose.export.int8 import quantise
from efficientpose.export.int8_onnx import serialise_int8_onnx
from efficientpose.export.onnx import serialise_onnx
from efficientpose.runtime.engines import load_engine
from efficientpose.runtime.metadata import METADATA_KEY

Outputs = tuple[np.ndarray, ...]


class Candidate(NamedTuple):
    """A quantised file before it has its place.

    Attributes:
        format: Of :data:`~efficientpose.export.files.FORMATS`.
        int8: The file, in a folder of its own that is soon removed.
        float32: The same network in float32, in another.
        drift: How the two differ, judged on crops that were held out.
    """

    format: str
    int8: Path
    float32: Path
    drift: Drift


def quantise_files(
    network: TopdownPoseEstimator,
    options: ExportOptions,
    *,
    formats: Sequence[str],
    folder: Path,
    name: str,
    weights: str,
    crops: CalibrationCrops,
) -> Iterator[Candidate]:
    """Quantise a network and write it in each format.

    Args:
        network: An EfficientPose with weights, on the CPU, in evaluation mode.
        options: What to export; of precision "int8".
        formats: "onnx" and "openvino".
        folder: Beside which files are written; made if it does not exist.
        name: Of the variant, or of a network of one's own.
        weights: Where the weights come from, in words.
        crops: To calibrate and to judge on.

    Yields:
        Each file; it is gone when the next is asked for, unless it was moved.

    Raises:
        ValueError: If the network, the options or a format cannot be exported.
        OSError: If a file cannot be written.
    """
    check_formats(formats, options)
    make_writable_folder(folder)
    graph = trace(deploy(network, options))
    metadata = {
        precision: {METADATA_KEY: text}
        for precision, text in _describe(network, options, name=name, weights=weights).items()
    }
    quantised = quantise(graph, [feed(network, crop[None], options)[0] for crop in crops.fitted])
    serialised = {
        "int8": serialise_int8_onnx(quantised, metadata=metadata["int8"]),
        "float32": serialise_onnx(graph, metadata=metadata["float32"]),
    }
    images = [feed(network, crop[None], options) for crop in crops.held_out]
    expected = _join([expect(network, crop[None], options) for crop in crops.held_out])
    for kind in formats:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export") as staging:
            paths = {}
            for precision, model in serialised.items():
                path = Path(staging) / precision / f"{file_stem(name, options)}{FORMATS[kind].suffix}"
                path.parent.mkdir()
                _write(model, path, kind=kind, metadata=metadata[precision])
                paths[precision] = path
            drift = _judge(network, options, paths["int8"], images=images, expected=expected)
            yield Candidate(kind, paths["int8"], paths["float32"], drift)


def _describe(network: TopdownPoseEstimator, options: ExportOptions, *, name: str, weights: str) -> dict[str, str]:
    """Return what the files say of themselves, by precision."""
    described = describe(network, options, name=name, weights=weights, input_layout="nchw")
    return {precision: replace(described, precision=precision).to_json() for precision in ("int8", "float32")}


def _write(serialised: bytes, path: Path, *, kind: str, metadata: dict[str, str]) -> None:
    if kind == "onnx":
        path.write_bytes(serialised)
        return
    from efficientpose.export.onnx import convert_onnx

    convert_onnx(serialised, path, metadata=metadata)


def _judge(
    network: TopdownPoseEstimator, options: ExportOptions, path: Path, *, images: list[np.ndarray], expected: Outputs
) -> Drift:
    engine = load_engine(path)
    given = _join([engine.infer(image) for image in images])
    decoder = network.head.decoder
    moved = find_peaks(expected[0], decoder, options) - find_peaks(given[0], decoder, options)
    return measure_drift(expected, given, distances=np.linalg.norm(moved, axis=-1), input_size=decoder.input_size)


def _join(outputs: Sequence[Outputs]) -> Outputs:
    return tuple(np.concatenate(each) for each in zip(*outputs, strict=True))
