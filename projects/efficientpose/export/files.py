"""Export a network to several formats, each file checked before it gets its name."""

import importlib.util
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator

import efficientpose
from efficientpose.core.decoding import STRIDE
from efficientpose.core.files import make_writable_folder
from efficientpose.export.check import Agreement, compare, encode_crops, run_file, run_model
from efficientpose.export.deployed import DeployedNetwork, ExportOptions, deploy, read_normalisation
from efficientpose.export.graph import trace
from efficientpose.models.trained_skeleton import trained_skeleton
from efficientpose.runtime.metadata import METADATA_KEY, Layout, ModelMetadata


def describe(
    network: TopdownPoseEstimator, options: ExportOptions, *, name: str, weights: str, input_layout: Layout
) -> ModelMetadata:
    """Return an exported network's metadata; a ValueError if the names of the keypoints are not known.

    Args:
        network: The pose estimator it was made from.
        options: What was exported.
        name: Of the variant, or of a network of one's own.
        weights: Where the weights come from, in words.
        input_layout: Order of the input's axes.
    """
    decoder = network.head.decoder
    skeleton = trained_skeleton(network)
    # single precision turned the config's 123.675 into 123.67500305
    mean, std = (
        (round(r, 4), round(g, 4), round(b, 4)) for r, g, b in map(torch.Tensor.tolist, read_normalisation(network))
    )
    return ModelMetadata(
        variant=name,
        version=efficientpose.__version__,
        keypoint_names=skeleton.keypoint_names,
        limbs=tuple((limb.proximal, limb.distal) for limb in skeleton.limbs),
        flip_indices=skeleton.flip_indices,
        input_size=decoder.input_size,
        input_layout=input_layout,
        mean=None if options.normalise_inside else mean,
        std=None if options.normalise_inside else std,
        heatmap_stride=STRIDE if options.outputs == "heatmaps" else 1,
        has_pafs=options.pafs,
        sigma=decoder.sigma,
        blur_sigma=decoder.blur_sigma,
        precision=options.precision,
        weights=weights,
    )


FAILED_SUFFIX = ".failed"


class Format(NamedTuple):
    """A kind of file."""

    suffix: str  # the file name's ending
    input_layout: Layout  # order of the input's axes
    packages: tuple[str, ...]  # what writing and checking it needs, besides PyTorch


FORMATS: Mapping[str, Format] = {
    "onnx": Format(".onnx", "nchw", ("onnx", "onnxruntime")),
    "openvino": Format(".xml", "nchw", ("onnx", "openvino")),
    "litert": Format(".tflite", "nhwc", ("flatbuffers", "ai_edge_litert")),
    "torchscript": Format(".torchscript", "nchw", ()),
}

INT8_FORMATS = ("onnx", "openvino")


def check_formats(formats: Sequence[str], options: ExportOptions) -> None:
    """Check that all formats can be written.

    Raises ValueError if one is unknown, does not go with the options, or needs a package that is not installed.
    """
    for name in formats:
        if name not in FORMATS:
            raise ValueError(f"unknown format {name!r}: choose from {', '.join(FORMATS)}")
        if options.layout == "rtmlib" and name != "onnx":
            raise ValueError(f"rtmlib reads ONNX: the layout is for the format onnx alone, not {name}")
        if options.precision == "float16" and name == "torchscript":
            raise ValueError("TorchScript is exported in float32: call half() on what is loaded")
        if options.precision == "int8" and name not in INT8_FORMATS:
            raise ValueError(f"int8 is exported as {' and '.join(INT8_FORMATS)}, not as {name}")
        missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ValueError(f'{name} needs {", ".join(missing)}: pip install "efficientpose[export]"')


def write_file(kind: str, network: DeployedNetwork, path: Path, *, metadata: dict[str, str], half: bool) -> None:
    """Write a network in ``kind``, one of :data:`FORMATS`, with ``metadata`` in the file; the batch size is free.

    With ``half`` the weights are stored in half precision; the arithmetic stays in single precision.
    """
    if kind == "torchscript":
        width, height = network.input_size
        with warnings.catch_warnings(), torch.no_grad():
            warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
            traced = torch.jit.trace(network, torch.zeros(1, 3, height, width))
            torch.jit.save(torch.jit.freeze(traced), str(path), _extra_files=metadata)
    elif kind == "litert":
        from efficientpose.export.litert import serialise_litert

        path.write_bytes(serialise_litert(trace(network), metadata=metadata, half=half))
    else:
        from efficientpose.export.onnx import convert_to_openvino, serialise_onnx

        serialised = serialise_onnx(trace(network), metadata=metadata, half=half)
        if kind == "onnx":
            path.write_bytes(serialised)
        else:
            convert_to_openvino(serialised, path, metadata=metadata, half=half)


class ExportedFile(NamedTuple):
    """A file, and how well it agrees with the model; where it does not, its name ends in ".failed"."""

    format: str
    path: Path
    agreement: Agreement


def export_files(
    network: TopdownPoseEstimator,
    options: ExportOptions,
    *,
    formats: Sequence[str],
    folder: Path,
    name: str,
    weights: str,
    crops: np.ndarray,
) -> Iterator[ExportedFile]:
    """Write a network in each format, and compare each file's outputs with the model's.

    Both run on all crops together and on each alone: some engines compile a network apart for a batch of one.

    Args:
        network: An EfficientPose with weights, on the CPU, in evaluation mode.
        options: What to export.
        formats: Of :data:`FORMATS`.
        folder: Where to; made if it does not exist.
        name: Of the variant, or of a network of one's own.
        weights: Where the weights come from, in words.
        crops: (B, H, W, 3) uint8, RGB, to compare on.

    Yields:
        Each file as it is done.

    Raises:
        ValueError: If the network, the options or a format cannot be exported.
        OSError: If a file cannot be written.
    """
    check_formats(formats, options)
    make_writable_folder(folder)
    deployed = deploy(network, options)
    expected, images = run_model(network, crops, options), encode_crops(network, crops, options)
    for kind in formats:
        target = FORMATS[kind]
        metadata = {}
        if options.layout == "ours":  # our metadata cannot describe rtmlib's input
            description = describe(network, options, name=name, weights=weights, input_layout=target.input_layout)
            metadata = {METADATA_KEY: description.to_json()}
        path = folder / f"{file_stem(name, options)}{target.suffix}"
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export") as staging:
            written = Path(staging) / path.name
            write_file(kind, deployed, written, metadata=metadata, half=options.precision == "float16")
            together, *alone = run_file(written, [images, *np.split(images, len(images))], options)
            joined = tuple(np.concatenate(each) for each in zip(*alone, strict=True))
            agreement = compare(expected, [together, joined], decoder=network.head.decoder, options=options)
            yield ExportedFile(kind, release(written, path, is_good=agreement.is_good), agreement)


def file_stem(name: str, options: ExportOptions) -> str:
    """Return the name of exported files, without ending."""
    parts = [f"efficientpose_{name}"]
    parts += ["full"] if options.outputs == "full" else []
    parts += ["rtmlib"] if options.layout == "rtmlib" else []
    parts += [options.precision] if options.precision != "float32" else []
    return "_".join(parts)


def release(written: Path, path: Path, *, is_good: bool) -> Path:
    """Move a file, and what lies beside it in its folder, to ``path``; ".failed" is added if it is not good."""
    suffix = "" if is_good else FAILED_SUFFIX
    # the file that is named, and that refers to the others, comes last
    for each in sorted(written.parent.iterdir(), key=lambda part: part == written):
        each.replace(path.with_name(each.name + suffix))
    return path.with_name(path.name + suffix)
