"""``efficientpose export``: a network as files for other engines."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.commands.console import UsageError, exit_status, parse_variants, quiet_imports, split_names
from efficientpose.commands.export_int8 import add_int8_options, check_int8_options, export_int8
from efficientpose.core.variants import VARIANTS

if TYPE_CHECKING:
    from efficientpose.export.deployed import ExportOptions
    from efficientpose.inference.estimator import TorchPoseEstimator


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("export", help="write a network for other engines", description=export.__doc__)
    add, several = parser.add_argument, "; several joined by commas"
    formats = f"onnx, openvino, litert, torchscript{several} (default: onnx)"
    add("--model", default="rt", metavar="NAMES", help=f"{', '.join(VARIANTS)}{several} (default: rt)")
    add("--to", default="onnx", metavar="FORMATS", help=formats)
    add("--weights", type=Path, help="checkpoint (.pth) or released file (.h5, .tflite)")
    add("--config", type=Path, help="config of a network of your own; needs --weights")
    add("--out", type=Path, default=Path("exported"), metavar="DIR", help="where to (default: exported)")
    outputs = "heatmaps at stride 8, which our runtime decodes exactly (default), or upsampled to the full input"
    add("--outputs", default="heatmaps", choices=("heatmaps", "full"), help=outputs)
    add("--pafs", action="store_true", help="output the part affinity fields as well")
    add("--normalise-inside", action="store_true", help="take 0 to 255; the network normalises")
    layout = "whose input and output (default: ours); rtmlib: an ONNX file for its class ViTPose"
    add("--layout", default="ours", choices=("ours", "rtmlib"), help=layout)
    precision = "of the stored weights, with int8 of the arithmetic too (default: float32)"
    add("--precision", default="float32", choices=("float32", "float16", "int8"), help=precision)
    add_int8_options(parser)
    parser.set_defaults(run=export)


def export(options: argparse.Namespace) -> int:
    """Write networks as files for other engines, and compare each with the MMPose model on real crops.

    A file that differs by more than 1e-4 (float32), or whose keypoints move by more than 0.25 pixels, gets a name that
    ends in .failed; so does a file in int8 whose keypoints drifted past a bound.
    """
    names = parse_variants(options.model)
    if len(names) > 1 and (options.weights or options.config):
        raise UsageError("--weights and --config are of one network: export it alone, with one name in --model")
    check_int8_options(options)
    with quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.export.deployed import ExportOptions
        from efficientpose.export.files import check_formats
        from efficientpose.inference.estimator import TorchPoseEstimator

    chosen = ExportOptions(**{field.name: getattr(options, field.name) for field in fields(ExportOptions)})
    formats = split_names(options.to)
    check_formats(formats, chosen)
    estimators = [TorchPoseEstimator.load(name, weights=options.weights, config=options.config) for name in names]
    export_one = export_int8 if chosen.precision == "int8" else _export_floats
    num_failed = sum(export_one(options, estimator, chosen, formats) for estimator in estimators)
    return exit_status(num_failed=num_failed, num_tried=len(formats) * len(estimators))


def _export_floats(
    options: argparse.Namespace, estimator: "TorchPoseEstimator", chosen: "ExportOptions", formats: Sequence[str]
) -> int:
    """Write one network in every format; return how many files are not usable."""
    from efficientpose.core.files import prepare_folder
    from efficientpose.export.files import export_files
    from efficientpose.inference.sample_crops import find_crops

    prepare_folder(options.out)
    crops = find_crops(estimator.model.head.decoder.input_size)
    print(f"{estimator.name}: compared with the MMPose model on {len(crops.pixels)} {crops.origin}")
    num_failed = 0
    for exported in export_files(
        estimator.model,
        chosen,
        formats=formats,
        folder=options.out,
        name=estimator.name,
        weights="released" if options.weights is None else options.weights.name,
        crops=crops.pixels,
    ):
        agreement = exported.agreement
        numbers = f"max |difference| {agreement.difference:.2g}, keypoints moved by at most {agreement.shift:.2g} px"
        print(f"{exported.format:<12}{numbers}: {exported.path}", flush=True)
        if not agreement.is_good:
            num_failed += 1
            reason = "its output does not depend on the image" if agreement.is_constant else "it differs too much"
            print(f"efficientpose: {exported.path} is not usable: {reason}", file=sys.stderr)
    return num_failed
