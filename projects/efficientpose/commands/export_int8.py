"""The part of ``efficientpose export`` that quantises: calibration, the verdict on drift, and the report."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from efficientpose.commands.console import UsageError

if TYPE_CHECKING:
    from efficientpose.benchmark.timing import Timing
    from efficientpose.export.calibration import CalibrationCrops
    from efficientpose.export.deployed import ExportOptions
    from efficientpose.export.drift import Drift, Shifts
    from efficientpose.export.int8_files import Candidate
    from efficientpose.inference.estimator import TorchPoseEstimator

SCORE_THRESHOLDS = (0.05, 0.1, 0.2)

ROUNDS = 30
"""How often each of the two files runs to compare their speed."""


def add_int8_options(parser: argparse.ArgumentParser) -> None:
    """Add what only ``--precision int8`` uses."""
    group = parser.add_argument_group("with --precision int8")
    group.add_argument(
        "--calibrate", type=Path, metavar="DIR", help="folder of photographs such as the network will see"
    )
    group.add_argument(
        "--calibrate-images", type=int, default=200, metavar="N", help="how many of them to use (default: 200)"
    )
    group.add_argument(
        "--calibrate-boxes", type=Path, metavar="FILE.json", help="people's boxes in them, as for predict --boxes"
    )
    group.add_argument(
        "--max-drift",
        type=float,
        metavar="PX",
        help="bound on the 95th percentile of the found keypoints' shifts, input pixels (default: 1%% of the input)",
    )
    group.add_argument("--force", action="store_true", help="give the file its name even if keypoints drifted further")
    group.add_argument(
        "--score",
        type=Path,
        metavar="FILE.json",
        help="report PCK on people annotated in the form of mpii_val.json, too",
    )
    group.add_argument("--score-images", type=Path, metavar="DIR", help="their pictures")
    group.add_argument("--score-people", type=int, metavar="N", help="only the first so many (default: all)")


def check_int8_options(options: argparse.Namespace) -> None:
    """Check that the options of :func:`add_int8_options` go together.

    Raises:
        UsageError: If not.
    """
    if options.precision != "int8":
        if options.calibrate or options.calibrate_boxes or options.max_drift is not None or options.force:
            raise UsageError("--calibrate, --calibrate-boxes, --max-drift and --force are for --precision int8")
        if options.score or options.score_images or options.score_people is not None:
            raise UsageError("--score, --score-images and --score-people are for --precision int8")
        return
    if options.calibrate is None:
        raise UsageError("--precision int8 needs photographs to calibrate on: --calibrate DIR")
    if options.max_drift is not None and not options.max_drift >= 0:
        raise UsageError(f"--max-drift takes 0 or more pixels, not {options.max_drift}")
    if (options.score is None) != (options.score_images is None):
        raise UsageError("--score FILE.json and --score-images DIR go together: people's joints and their pictures")
    if options.score_people is not None and (options.score is None or options.score_people < 1):
        raise UsageError(f"--score-people takes 1 or more of the people of --score, not {options.score_people}")


class Measured(NamedTuple):
    """What int8 gains, and what it costs.

    Attributes:
        drift: Of the keypoints.
        float32: Time of the same network in float32.
        int8: Time of the file.
        size_ratio: Bytes of the file per byte in float32.
        bound: Input pixels the drift may have.
        scores: PCK of the torso by precision and threshold, in percent; empty where none was asked for.
    """

    drift: "Drift"
    float32: "Timing"
    int8: "Timing"
    size_ratio: float
    bound: float
    scores: dict[str, dict[str, float]]

    @property
    def is_good(self) -> bool:
        """Whether the drift is within its bound."""
        return self.drift.is_within(self.bound)


def export_int8(
    options: argparse.Namespace, estimator: "TorchPoseEstimator", chosen: "ExportOptions", formats: Sequence[str]
) -> int:
    """Quantise, compare with float32 on pictures that were held out, and write a report beside each file.

    Returns:
        How many files are not usable.
    """
    from efficientpose.core.files import prepare_folder
    from efficientpose.export.drift import MAX_DRIFT
    from efficientpose.export.files import release
    from efficientpose.export.int8_files import quantise_files

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
        measured = _measure(candidate, crops, bound=bound)._replace(scores=_score(candidate, options))
        is_accepted = measured.is_good or options.force
        path = release(candidate.int8, options.out / candidate.int8.name, is_good=is_accepted)
        _write_report(measured, crops, path)
        _print_report(measured, candidate.format, path)
        if not is_accepted:
            num_failed += 1
            print(f"efficientpose: {path} is not usable: {_reason(measured)}", file=sys.stderr)
    return num_failed


def _load_crops(options: argparse.Namespace, input_size: tuple[int, int]) -> "CalibrationCrops":
    from efficientpose.export.calibration import load_calibration
    from efficientpose.runtime.predict_files import read_boxes

    boxes = None if options.calibrate_boxes is None else read_boxes(options.calibrate_boxes)
    crops = load_calibration(
        options.calibrate, input_size=input_size, num_pictures=options.calibrate_images, boxes=boxes
    )
    for message in crops.errors:
        print(f"efficientpose: left out: {message}", file=sys.stderr)
    print(
        f"calibrated on {len(crops.fitted)} people, compared with the MMPose model on {len(crops.held_out)} others, "
        f"of {crops.num_pictures} pictures"
    )
    return crops


def _measure(candidate: "Candidate", crops: "CalibrationCrops", *, bound: float) -> Measured:
    import numpy as np

    from efficientpose.benchmark.timing import time_in_turn
    from efficientpose.runtime.crop_encoder import CropEncoder
    from efficientpose.runtime.engines import load_engine

    crop = np.ascontiguousarray(crops.held_out[0][..., ::-1])
    engines = {path: load_engine(path, threads=1) for path in (candidate.float32, candidate.int8)}
    image = CropEncoder(engines[candidate.int8].metadata, dtype=np.dtype(np.float32)).encode([crop])
    ways = {path: (lambda engine=engine: engine.infer(image)) for path, engine in engines.items()}
    timings = time_in_turn(ways, rounds=ROUNDS)
    return Measured(
        drift=candidate.drift,
        float32=timings[candidate.float32],
        int8=timings[candidate.int8],
        size_ratio=_size(candidate.int8) / _size(candidate.float32),
        bound=bound,
        scores={},
    )


def _check_annotations(options: argparse.Namespace) -> None:
    """Read the people to be scored once, so that bad files are told before the work and not after it."""
    if options.score is not None:
        import efficientpose.plugin  # noqa: F401 - it lets MMPose be imported
        from efficientpose.datasets.mpii import ExactMpiiDataset

        if not options.score_images.is_dir():
            raise FileNotFoundError(f"{options.score_images}: no such folder of pictures to score on")
        ExactMpiiDataset(ann_file=str(options.score), data_prefix=dict(img=str(options.score_images)), test_mode=True)


def _score(candidate: "Candidate", options: argparse.Namespace) -> dict[str, dict[str, float]]:
    if options.score is None:
        return {}
    from efficientpose.evaluation.file_scores import score_files

    scores = score_files(
        (candidate.float32, candidate.int8),
        annotations=options.score,
        images=options.score_images,
        thresholds=SCORE_THRESHOLDS,
        num_people=options.score_people,
    )
    return {
        precision: {
            f"PCK@{threshold:g}": scores[str(path)][f"torso/PCK@{threshold:g}"] for threshold in SCORE_THRESHOLDS
        }
        for precision, path in (("float32", candidate.float32), ("int8", candidate.int8))
    }


def _size(path: Path) -> int:
    """Return the bytes of a file and what lies beside it."""
    return sum(each.stat().st_size for each in path.parent.iterdir())


def _reason(measured: Measured) -> str:
    found = measured.drift.found
    if not found.num_keypoints:
        return "the float32 network finds no keypoint in the held-out pictures; calibrate on pictures of people"
    return (
        f"95% of the keypoints moved by up to {found.percentile_95:.2f} px, the bound is {measured.bound:.2f} px; "
        "calibrate on more pictures like those it will see, or use --max-drift or --force"
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
            for precision, timing in (("float32", measured.float32), ("int8", measured.int8))
        },
        "time_ratio": _time_ratios(measured),
        "size_ratio": measured.size_ratio,
        "torso": measured.scores,
    }
    report = path.with_name(f"{path.name}.json")
    with replacing(report) as partial:
        partial.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _time_ratios(measured: Measured) -> dict[str, float]:
    return {
        clock: getattr(measured.int8, clock).median / getattr(measured.float32, clock).median
        for clock in ("wall", "cpu")
    }


def _print_report(measured: Measured, kind: str, path: Path) -> None:
    drift, ratios = measured.drift, _time_ratios(measured)
    print(f"{kind:<12}{path}")
    for title, shifts in (("found keypoints", drift.found), ("all keypoints", drift.every)):
        print(f"{'':<12}{title:<16}{_describe(shifts, side=drift.side)}")
    print(
        f"{'':<12}max |difference| {drift.difference:.2g}; time {ratios['wall']:.2f} of float32's (processor time "
        f"{ratios['cpu']:.2f}), one thread; size {measured.size_ratio:.2f}",
        flush=True,
    )
    for precision, scores in measured.scores.items():
        found = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        print(f"{'':<12}{precision:<16}{found} of the torso", flush=True)


def _describe(shifts: "Shifts", *, side: int) -> str:
    from efficientpose.export.drift import FAR

    return (
        f"{shifts.num_keypoints}: moved by {shifts.median:.2f} px (median, {shifts.median / side:.2%} of the input), "
        f"{shifts.percentile_95:.2f} px (95%, {shifts.percentile_95 / side:.2%}); "
        f"{shifts.share_far:.1%} by more than {FAR * side:.1f} px"
    )
