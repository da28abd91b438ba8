"""Quantise a network to eight bits after training, fitted to images of people.

ONNX Runtime's quantiser does the arithmetic; :mod:`int8_preparation` readies the weights for it, and which layers must
stay in float32 is known here. The file is ONNX in the form called QDQ, which ONNX Runtime and OpenVINO both read:
tensors pass through QuantizeLinear and DequantizeLinear, and engines compute between these in eight bits.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from mmpose.models.pose_estimators import TopdownPoseEstimator

from efficientpose.core.boxes import check_boxes
from efficientpose.core.crops import cut_crop, find_region
from efficientpose.core.files import make_writable_folder
from efficientpose.core.images import find_images, read_image
from efficientpose.export.check import Drift, Outputs, encode_crops, measure_drift, measure_shifts, run_file, run_model
from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.files import FORMATS, check_formats, describe, file_stem
from efficientpose.export.graph import INPUT_NAME, Graph, trace
from efficientpose.runtime.metadata import METADATA_KEY
from efficientpose.runtime.predict_files import BoxList, find_boxes

MIN_IMAGES: Final = 16
HELD_OUT_EVERY: Final = 4  # one image in four is held out: not calibrated on, but judged on


class CalibrationCrops(NamedTuple):
    """Crops of people at the network's input size; no image is in both parts."""

    fitted: np.ndarray  # (B, H, W, 3) uint8 RGB, to calibrate on
    held_out: np.ndarray  # (B, H, W, 3) uint8 RGB, to compare float32 with int8 on
    num_images: int  # images used, of both parts
    errors: tuple[str, ...]  # a message for every image that could not be used


def load_calibration(
    folder: Path, *, input_size: tuple[int, int], num_images: int, boxes: Mapping[str, BoxList] | None = None
) -> CalibrationCrops:
    """Cut people out of the images of a folder.

    Args:
        folder: With images of people such as the network will see.
        input_size: (width, height) of the network's input.
        num_images: How many to use at most; the choice is random, but always the same.
        boxes: Bounding boxes by file name; None takes each whole image as one person.

    Raises:
        ValueError: If there is no such folder, or it has too few usable images; the message names those that are not.
    """
    if num_images < MIN_IMAGES:
        raise ValueError(f"calibration needs {MIN_IMAGES} images or more, not {num_images}")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of calibration images")
    images, missing = find_images([folder])
    if missing:
        raise missing[0]
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    errors: list[str] = []
    num_used = 0
    for index in np.random.default_rng(0).permutation(len(images)):
        if num_used == num_images:
            break
        try:
            crops = _cut_people(images[index], input_size=input_size, boxes=boxes)
        except ValueError as error:
            message = str(error)
            errors.append(message if str(images[index]) in message else f"{images[index]}: {message}")
            continue
        parts[num_used % HELD_OUT_EVERY == HELD_OUT_EVERY - 1].extend(crops)
        num_used += 1
    if num_used < MIN_IMAGES:
        raise ValueError(
            f"{folder}: {num_used} of its {len(images)} images can be used, too few to calibrate on; at least "
            f"{MIN_IMAGES} are needed, a few hundred are better" + "".join(f"\n{error}" for error in errors)
        )
    return CalibrationCrops(np.stack(parts[0]), np.stack(parts[1]), num_used, tuple(errors))


def _cut_people(path: Path, *, input_size: tuple[int, int], boxes: Mapping[str, BoxList] | None) -> list[np.ndarray]:
    image = read_image(path)
    regions = (
        find_region(box, image_size=(image.shape[1], image.shape[0]), input_size=input_size)
        for box in check_boxes(find_boxes(path, boxes), image)
    )
    return [cut_crop(image, region, input_size=input_size)[..., ::-1] for region in regions]


_INT8_KINDS: Final = frozenset({"add", "average_pool", "concatenate", "convolution", "relu", "relu6"})

_FIRST_LAYERS: Final = re.compile(r"branches_\d+_[01]_")
"""The stem and the first bottleneck of a branch. Their errors go through all the rest, and few channels at a high
resolution gain nothing in eight bits: left in float32, I Lite drifts by a fifth less and is 1.1 times as fast."""


def find_int8_operations(graph: Graph) -> list[str]:
    """Return the names of the operations to compute in eight bits.

    These stay in float32:

    - the first layers of the backbone;
    - the convolutions that predict the outputs, because a peak differs from its neighbours by less than a 256th;
    - squeeze-and-excitation gates, tensors of one cell, which cost nothing and scale whole channels;
    - the shift that normalises the input.
    """
    return [
        operation.name
        for operation in graph.operations
        if operation.kind in _INT8_KINDS
        and operation.shape[2:] != (1, 1)
        and operation.name not in graph.outputs
        and not _FIRST_LAYERS.match(operation.name)
    ]


def serialise_int8_onnx(graph: Graph, images: Sequence[np.ndarray], *, metadata: dict[str, str]) -> bytes:
    """Quantise a network and return it as an ONNX file, with ``metadata`` as its properties, whose batch size is free.

    ``images`` are batches to calibrate on, as the network takes them.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    from efficientpose.export.int8_preparation import correct_biases, equalise
    from efficientpose.export.onnx import serialise_onnx

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = ({INPUT_NAME: each} for each in images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._feeds, None)

    names = find_int8_operations(graph)
    prepared = correct_biases(equalise(graph, images), images, names=names)
    # the mark says that shapes are known and constants folded; without it the quantiser warns
    ready = {"onnx.quant.pre_process": "onnxruntime.quant"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            onnx.load_from_string(serialise_onnx(prepared, metadata=ready)),
            path,
            Batches(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # weights of 7 bits: with 8, processors without VNNI overflow
            nodes_to_quantize=names,
            extra_options={"CalibMovingAverage": True},  # ranges are means over the images, so that outliers are cut
        )
        model = onnx.load(path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


class Candidate(NamedTuple):
    """A quantised file before it is accepted."""

    format: str  # of FORMATS
    int8: Path  # the file, in a temporary folder of its own
    float32: Path  # the same network in float32, in another
    drift: Drift  # how the two differ on the crops that were held out


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
        folder: Temporary folders are made in it; made if it does not exist.
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
    from efficientpose.export.onnx import convert_to_openvino, serialise_onnx

    make_writable_folder(folder)
    graph = trace(deploy(network, options))
    described = describe(network, options, name=name, weights=weights, input_layout="nchw")
    metadata = {
        precision: {METADATA_KEY: replace(described, precision=precision).to_json()}
        for precision in ("int8", "float32")
    }
    batches = [encode_crops(network, crop[None], options) for crop in crops.fitted]
    serialised = {
        "int8": serialise_int8_onnx(graph, batches, metadata=metadata["int8"]),
        "float32": serialise_onnx(graph, metadata=metadata["float32"]),
    }
    images = [encode_crops(network, crop[None], options) for crop in crops.held_out]
    expected = _join([run_model(network, crop[None], options) for crop in crops.held_out])
    decoder = network.head.decoder
    for kind in formats:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export") as staging:
            paths = {}
            for precision, model in serialised.items():
                path = Path(staging) / precision / f"{file_stem(name, options)}{FORMATS[kind].suffix}"
                path.parent.mkdir()
                if kind == "onnx":
                    path.write_bytes(model)
                else:
                    convert_to_openvino(model, path, metadata=metadata[precision])
                paths[precision] = path
            given = _join(run_file(paths["int8"], images, options))
            distances = measure_shifts(expected, given, decoder=decoder, options=options)
            drift = measure_drift(expected, given, distances=distances, input_size=decoder.input_size)
            yield Candidate(kind, paths["int8"], paths["float32"], drift)


def _join(outputs: Sequence[Outputs]) -> Outputs:
    return tuple(np.concatenate(each) for each in zip(*outputs, strict=True))
