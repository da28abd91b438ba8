"""The part of ``efficientpose export`` that quantises: calibration, the bound on drift, and the report."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from efficientpose.commands.console import UsageError

if TYPE_CHECKING:
    from efficientpose.benchmark.timing import Timing
    from efficientpose.export.check import Drift
    from efficientpose.export.deployed import ExportOptions
    from efficientpose.export.int8 import CalibrationCrops, Candidate
    from efficientpose.inference.estimator import TorchPoseEstimator

SCORE_THRESHOLDS = (0.05, 0.1, 0.2)

ROUNDS = 30
"""How often each of the two files runs to compare their speed."""


def add_int8_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``--precision int8``."""
    add = parser.add_argument_group("with --precision int8").add_argument
    add("--calibrate", type=Path, metavar="DIR", help="folder of images such as the network will see")
    add("--calibrate-images", type=int, default=200, metavar="N", help="how many of them to use (default: 200)")
    add("--calibrate-boxes", type=Path, metavar="FILE.json", help="people's boxes in them, as for predict --boxes")
    drift = "bound on the 95th percentile of the found keypoints' shifts, input pixels (default: 1%% of the input)"
    add("--max-drift", type=float, metavar="PX", help=drift)
    add("--force", action="store_true", help="give the file its name even if keypoints drifted further")
    add("--score", type=Path, metavar="FILE.json", help="report PCK on people annotated as in mpii_val.json, too")
    add("--score-images", type=Path, metavar="DIR", help="their images")
    add("--score-people", type=int, metavar="N", help="only the first so many (default: all)")


def check_int8_options(options: argparse.Namespace) -> None:
    """Raise a UsageError if the options of :func:`add_int8_options` do not go together."""
    if options.precision != "int8":
        if options.calibrate or options.calibrate_boxes or options.max_drift is not None or options.force:
            raise UsageError("--calibrate, --calibrate-boxes, --max-drift and --force are for --precision int8")
        if options.score or options.score_images or options.score_people is not None:
            raise UsageError("--score, --score-images and --score-people are for --precision int8")
        return
    if options.calibrate is None:
        raise UsageError("--precision int8 needs images to calibrate on: --calibrate DIR")
    if options.max_drift is not None and not options.max_drift >= 0:
        raise UsageError(f"--max-drift takes 0 or more pixels, not {options.max_drift}")
    if (options.score is None) != (options.score_images is None):
        raise UsageError("--score FILE.json and --score-images DIR go together: annotated people and their images")
    if options.score_people is not None and (options.score is None or options.score_people < 1):
        raise UsageError(f"--score-people takes 1 or more of the people of --score, not {options.score_people}")


class Measured(NamedTuple):
    """What int8 gains, and what it costs.

    Attributes:
        drift: Of the keypoints.
        timings: Time of the network by precision, "float32" and "int8".
        size_ratio: Bytes of the file per byte in float32.
        bound: Largest drift allowed, input pixels.
        scores: PCK of the torso by precision and threshold, in percent; empty without ``--score``.
    """

    drift: "Drift"
    timings: dict[str, "Timing"]
    size_ratio: float
    bound: float
    scores: dict[str, dict[str, float]]

    @property
    def is_good(self) -> bool:
        """Whether the drift is within its bound."""
        return self.drift.is_within(self.bound)

    @property
    def time_ratios(self) -> dict[str, float]:
        """Median time in int8 per that in float32, of the wall clock and of the processor."""
        return {
            clock: getattr(self.timings["int8"], clock).median / getattr(self.timings["float32"], clock).median
            for clock in ("wall", "cpu")
        }


def export_int8(
    options: argparse.Namespace, estimator: "TorchPoseEstimator", chosen: "ExportOptions", formats: Sequence[str]
) -> int:
    """Write one network in int8 in every format, each with a report; return how many files are not usable."""
    from efficientpose.core.files import prepare_folder
    from efficientpose.export.check import MAX_DRIFT
    from efficientpose.export.files import release
    from efficientpose.export.int8 import quantise_files

    input_size = estimator.model.head.decoder.input_size
    _check_annotations(options)
    crops = _load_crops(options, input_size)
    prepare_folder(options.out)
    bound = MAX_DRIFT * max(input_size) if options.max_drift is None else options.max_drift
    num_failed = 0
    for candidate in quantise_files(
        estimator.model,
        chosen,
        formats=formats,
        folder=options.out,
        name=estimator.name,
        weights="released" if options.weights is None else options.weights.name,
        crops=crops,
    ):
        measured = _measure(candidate, crops, options, bound=bound)
        is_accepted = measured.is_good or options.force
        path = release(candidate.int8, options.out / candidate.int8.name, is_good=is_accepted)
        _write_report(measured, crops, path)
        _print_report(measured, candidate.format, path)
        if not is_accepted:
            num_failed += 1
            print(f"efficientpose: {path} is not usable: {_reason(measured)}", file=sys.stderr)
    return num_failed


def _check_annotations(options: argparse.Namespace) -> None:
    """Read the people to be scored once, so that bad files fail before the work and not after it."""
    if options.score is not None:
        import efficientpose.plugin  # noqa: F401 - it lets MMPose be imported
        from efficientpose.datasets.mpii import ExactMpiiDataset

        if not options.score_images.is_dir():
            raise FileNotFoundError(f"{options.score_images}: no such folder of images to score on")
        ExactMpiiDataset(ann_file=str(options.score), data_prefix=dict(img=str(options.score_images)), test_mode=True)


def _load_crops(options: argparse.Namespace, input_size: tuple[int, int]) -> "CalibrationCrops":
    from efficientpose.export.int8 import load_calibration
    from efficientpose.runtime.predict_files import read_boxes

    boxes = None if options.calibrate_boxes is None else read_boxes(options.calibrate_boxes)
    crops = load_calibration(options.calibrate, input_size=input_size, num_images=options.calibrate_images, boxes=boxes)
    for message in crops.errors:
        print(f"efficientpose: left out: {message}", file=sys.stderr)
    print(
        f"calibrated on {len(crops.fitted)} people, compared with the MMPose model on {len(crops.held_out)} others, "
        f"of {crops.num_images} images"
    )
    return crops


def _measure(
    candidate: "Candidate", crops: "CalibrationCrops", options: argparse.Namespace, *, bound: float
) -> Measured:
    """Time both precisions in turn on one thread, and score them if asked to."""
    import numpy as np

    from efficientpose.benchmark.timing import time_in_turn
    from efficientpose.runtime.crop_encoder import CropEncoder
    from efficientpose.runtime.engines import load_engine

    files = {"float32": candidate.float32, "int8": candidate.int8}
    engines = {precision: load_engine(path, threads=1) for precision, path in files.items()}
    crop = np.ascontiguousarray(crops.held_out[0][..., ::-1])
    image = CropEncoder(engines["int8"].metadata, dtype=np.dtype(np.float32)).encode([crop])
    ways = {precision: (lambda engine=engine: engine.infer(image)) for precision, engine in engines.items()}
    scores = {}
    if options.score is not None:
        from efficientpose.evaluation.file_scores import score_files

        found = score_files(
            tuple(files.values()),
            annotations=options.score,
            images=options.score_images,
            thresholds=SCORE_THRESHOLDS,
            num_people=options.score_people,
        )
        scores = {
            precision: {f"PCK@{each:g}": found[str(path)][f"torso/PCK@{each:g}"] for each in SCORE_THRESHOLDS}
            for precision, path in files.items()
        }
    # a file's size includes what lies beside it
    sizes = {key: sum(each.stat().st_size for each in path.parent.iterdir()) for key, path in files.items()}
    return Measured(
        drift=candidate.drift,
        timings=time_in_turn(ways, rounds=ROUNDS),
        size_ratio=sizes["int8"] / sizes["float32"],
        bound=bound,
        scores=scores,
    )


def _reason(measured: Measured) -> str:
    found = measured.drift.found
    if not found.num_keypoints:
        return "the float32 network finds no keypoint in the held-out images; calibrate on images of people"
    return (
        f"95% of the keypoints moved by up to {found.percentile_95:.2f} px, the bound is {measured.bound:.2f} px; "
        "calibrate on more images like those it will see, or use --max-drift or --force"
    )


def _write_report(measured: Measured, crops: "CalibrationCrops", path: Path) -> None:
    """Write the report beside a file, under its name with .json added."""
    from efficientpose.core.files import replacing

    document: dict[str, Any] = {
        "file": path.name,
        "num_calibration_crops": len(crops.fitted),
        "max_drift": measured.bound,
        "is_within_bound": measured.is_good,
        "drift": measured.drift.as_document(),
        "milliseconds": {
            precision: {"wall": timing.wall._asdict(), "cpu": timing.cpu._asdict()}
            for precision, timing in measured.timings.items()
        },
        "time_ratio": measured.time_ratios,
        "size_ratio": measured.size_ratio,
        "torso": measured.scores,
    }
    with replacing(path.with_name(f"{path.name}.json")) as partial:
        partial.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _print_report(measured: Measured, kind: str, path: Path) -> None:
    from efficientpose.export.check import FAR

    drift, side, ratios = measured.drift, measured.drift.side, measured.time_ratios
    print(f"{kind:<12}{path}")
    for title, shifts in (("found keypoints", drift.found), ("all keypoints", drift.every)):
        median, percentile_95 = shifts.median, shifts.percentile_95
        print(
            f"{'':<12}{title:<16}{shifts.num_keypoints}: moved by {median:.2f} px (median, {median / side:.2%} of the "
            f"input), {percentile_95:.2f} px (95%, {percentile_95 / side:.2%}); {shifts.share_far:.1%} by more than "
            f"{FAR * side:.1f} px"
        )
    print(
        f"{'':<12}max |difference| {drift.difference:.2g}; time {ratios['wall']:.2f} of float32's (processor time "
        f"{ratios['cpu']:.2f}), one thread; size {measured.size_ratio:.2f}",
        flush=True,
    )
    for precision, scores in measured.scores.items():
        found = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        print(f"{'':<12}{precision:<16}{found} of the torso", flush=True)
