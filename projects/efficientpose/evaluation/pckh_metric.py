"""PCKh as an MMEngine metric: collects people, scores them, prints the MPII table and writes files.

It is meant for :class:`efficientpose.datasets.mpii.ExactMpiiDataset`, whose ground truth and images share one 0-based
frame, and adds nothing to the predictions. (MMPose's ``MpiiPCKAccuracy`` adds 1 pixel, for annotations left 1-based.)
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.registry import METRICS
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from efficientpose.core.skeleton import KEYPOINT_NAMES, NUM_KEYPOINTS, TORSO_DIAGONALS, keypoint_names_of
from efficientpose.evaluation.pckh import MEAN_ROW, PckhTable, Score, compute_pckh
from efficientpose.evaluation.submission import PersonPrediction, write_submission

TITLES: Final = {"head": "PCKh", "torso": "PCK (of the torso)", "bbox": "PCK (of the box)"}
"""Titles of the table by norm; the first word names the measure in keys."""

REPORT_ENDINGS = (".json", ".csv")
SUBMISSION_ENDINGS = (".mat", ".json")


@dataclass(frozen=True, kw_only=True)
class _Person:
    """Prediction and ground truth of one person.

    Not a named tuple: MMEngine makes plain tuples of those on the way to ``compute_metrics``.
    """

    prediction: PersonPrediction
    truth: NDArray[np.float64]  # (16, 2), image pixels
    labelled: NDArray[np.bool_]  # (16,)
    reference_length: float | None  # None where it is unknown


@METRICS.register_module()
class PCKh(BaseMetric):
    """PCKh at any thresholds, area under its curve, by keypoint group, with confidence intervals.

    Returned keys: ``PCKh@0.5`` (one a threshold) and ``AUC``, with ``_low`` and ``_high`` for the bounds of the 95%
    interval; ``Head@0.5``, ``Head AUC`` and so on. For ``save_best="PCKh@0.5"`` give ``rule="greater"`` as well. Where
    nothing is labelled (MPII's test set), only ``submission_file`` is written and no key returned. In datasets with
    other keypoints, those are scored that MPII has as well.

    Args:
        thresholds: Fractions of the reference length.
        norm: ``"head"`` for 0.6 times the head box's diagonal, from the dataset's ``headbox_file``; ``"bbox"`` for the
            longer side of the person's box; ``"torso"`` for the distance from left shoulder to right hip, or else right
            shoulder to left hip, as usual for LSP. By box or torso the measure is called PCK. People whose torso has no
            length are not scored, which is logged.
        num_bootstrap: Resamples of people behind the intervals; 0 for none.
        seed: Of the resampling.
        out_file: All scores are written to it, ``.json`` or ``.csv``.
        submission_file: Predictions are written to it, ``.mat`` or ``.json``; see
            :func:`efficientpose.evaluation.submission.write_submission`.
        release_file: MPII's own annotation file, for a ``.mat`` in the test server's structure.
        collect_device: ``"cpu"`` or ``"gpu"``, for distributed evaluation.
        prefix: Put before every key, with a slash. By default ``"torso"`` for that norm (``torso/PCK@0.2``), so that it
            can stand beside PCKh in one evaluator, and nothing for the others.

    Raises:
        ValueError: If ``norm`` or the ending of a file is unknown.
    """

    # Not None, which would make MMEngine warn about it.
    default_prefix = ""

    def __init__(
        self,
        *,
        thresholds: Sequence[float] = (0.5, 0.1),
        norm: Literal["head", "bbox", "torso"] = "head",
        num_bootstrap: int = 1000,
        seed: int = 0,
        out_file: str | None = None,
        submission_file: str | None = None,
        release_file: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        if norm not in TITLES:
            raise ValueError(f"norm {norm!r}: choose one of {', '.join(TITLES)}")
        if prefix is None:
            prefix = "torso" if norm == "torso" else ""
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.thresholds = tuple(thresholds)
        self.norm = norm
        self.num_bootstrap = num_bootstrap
        self.seed = seed
        self.out_file = _checked_path(out_file, "out_file", REPORT_ENDINGS)
        self.submission_file = _checked_path(submission_file, "submission_file", SUBMISSION_ENDINGS)
        self.release_file = None if release_file is None else Path(release_file)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Keep prediction and ground truth of a batch of data samples, one person each.

        Raises:
            ValueError: If a sample holds other than one person, or lacks its reference length.
        """
        is_mpii = (self.dataset_meta or {}).get("dataset_name") == "mpii"
        if is_mpii and not self.results and "raw_ann_info" not in data_samples[0]:  # which MMPose's own dataset lacks
            MMLogger.get_current_instance().warning(
                "the ground truth of MMPose's MpiiDataset is 1-based, one pixel to the lower right of the image's: "
                "with PCKh take ExactMpiiDataset, or MpiiPCKAccuracy in place of PCKh"
            )
        names = keypoint_names_of(self.dataset_meta)
        self.results.extend(_read_person(sample, names, norm=self.norm) for sample in data_samples)

    def compute_metrics(self, results: list[_Person]) -> dict[str, float]:
        """Write the files asked for, log the table and return percentages by key.

        Raises:
            ValueError: If there is nothing to score and no submission is asked for.
        """
        if self.submission_file is not None:
            predictions = [person.prediction for person in results]
            write_submission(self.submission_file, predictions, release_file=self.release_file)
            if not any(person.labelled.any() for person in results):
                return {}
        table, title = self.score(results), TITLES[self.norm]
        measure = title.split()[0]
        MMLogger.get_current_instance().info("\n" + render(table, measure=measure, title=title))
        scores = {
            _score_key(row, column, measure=measure): score
            for row in (MEAN_ROW, *(row for row in table.rows if row != MEAN_ROW))
            for column, score in table.rows[row].items()
        }
        if self.out_file is not None:
            settings = {name: getattr(self, name) for name in ("num_bootstrap", "seed", "norm")}
            _write_report(self.out_file, scores, {"num_people": table.num_people} | settings)
        metrics = {key: score.value for key, score in scores.items()}
        if self.num_bootstrap:
            for column, score in table.rows[MEAN_ROW].items():
                key = _score_key(MEAN_ROW, column, measure=measure)
                metrics |= {f"{key}_low": score.low, f"{key}_high": score.high}
        return metrics

    def score(self, people: Sequence[_Person]) -> PckhTable:
        """Score the people whose reference length is known, and log how many are not.

        Args:
            people: As :meth:`process` keeps them in ``self.results``.

        Raises:
            ValueError: If nobody's reference length is known.
        """
        scored = [person for person in people if person.reference_length is not None]
        if len(scored) < len(people):
            unknown = f"{len(people) - len(scored)} of {len(people)} people have no length of the torso"
            expected = " or ".join(f"{a} to {b}" for a, b in TORSO_DIAGONALS)
            if not scored:
                raise ValueError(f"{unknown}: expected {expected} to be labelled")
            MMLogger.get_current_instance().warning(
                f"{unknown} and are not scored: expected {expected} to be labelled, and not in one place"
            )
        return compute_pckh(
            np.array([person.prediction.keypoints for person in scored]),
            np.array([person.truth for person in scored]),
            np.array([person.labelled for person in scored]).reshape(-1, NUM_KEYPOINTS),
            np.array([person.reference_length for person in scored]),
            thresholds=self.thresholds,
            num_bootstrap=self.num_bootstrap,
            seed=self.seed,
        )


def _write_report(path: Path, scores: dict[str, Score], settings: dict[str, Any]) -> None:
    """Write scores as ``.csv``, or with the settings as ``.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON has no NaN.
    rows = {
        key: {name: None if math.isnan(value) else value for name, value in score._asdict().items()}
        for key, score in scores.items()
    }
    if path.suffix == ".json":
        path.write_text(json.dumps(settings | {"scores": rows}, indent=2) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["score", *Score._fields])
        writer.writeheader()
        writer.writerows({"score": key} | row for key, row in rows.items())


def _score_key(row: str, column: str, *, measure: str) -> str:
    """Return the key of a score: ``PCKh@0.5`` or ``AUC`` for the means, ``Head@0.5`` or ``Head AUC`` elsewhere."""
    if column.startswith("@"):
        return (measure if row == MEAN_ROW else row) + column
    return column if row == MEAN_ROW else f"{row} {column}"


def render(table: PckhTable, *, measure: str, title: str) -> str:
    """Return the table as text, percentages with their intervals in brackets."""
    columns = list(table.rows[MEAN_ROW])
    drawn = Table(title=f"{title} of {table.num_people} people, % [95% confidence]")
    drawn.add_column("joints")
    for column in columns:
        drawn.add_column(measure + column if column.startswith("@") else column, justify="right")
    for row, scores in table.rows.items():
        drawn.add_row(row, *map(_format_score, scores.values()), end_section=row == list(table.rows)[-2])
    console = Console(file=StringIO(), width=30 * (1 + len(columns)), color_system=None)
    with console.capture() as captured:
        console.print(drawn)
    return captured.get()


def _format_score(score: Score) -> str:
    if math.isnan(score.value):
        return "none labelled"
    interval = "" if math.isnan(score.low) else rf" \[{score.low:.2f}, {score.high:.2f}]"
    return f"{score.value:.2f}{interval}"


def _checked_path(path: str | None, argument: str, endings: tuple[str, ...]) -> Path | None:
    if path is not None and Path(path).suffix not in endings:
        raise ValueError(f"{argument} {path!r} must end in {' or '.join(endings)}")
    return None if path is None else Path(path)


def _read_person(sample: dict[str, Any], names: Sequence[str], *, norm: str) -> _Person:
    """Read a sample of a dataset whose keypoints are ``names``."""
    truth, predicted = sample["gt_instances"], sample["pred_instances"]
    keypoints = np.asarray(predicted["keypoints"], dtype=float)
    if keypoints.shape != (1, len(names), 2):
        raise ValueError(
            f"predicted keypoints of {sample.get('img_path')} have shape {keypoints.shape}, "
            f"expected (1, {len(names)}, 2): one person a sample (data_mode='topdown')"
        )
    visible = np.asarray(truth["keypoints_visible"])
    visible = visible[..., 0] if visible.ndim == 3 else visible  # MMPose's transforms may append a column of weights
    labelled = as_mpii(visible.reshape(-1) > 0, names, absent=False)
    coordinates = as_mpii(np.asarray(truth["keypoints"], dtype=float).reshape(-1, 2), names, absent=0)
    scores = np.asarray(predicted.get("keypoint_scores", np.ones(len(names))), dtype=float).reshape(-1)
    annotation = sample.get("raw_ann_info") or {}
    return _Person(
        prediction=PersonPrediction(
            annotation_id=int(sample.get("id", 0)),
            image_id=int(sample.get("img_id", 0)),
            image=str(annotation.get("image", sample.get("img_path", ""))),
            keypoints=as_mpii(keypoints[0], names, absent=0),
            scores=as_mpii(scores, names, absent=0),
            image_index=annotation.get("image_index"),
            person_index=annotation.get("person_index"),
        ),
        truth=coordinates,
        labelled=labelled,
        # People of the test set, who have no labels, have no head box and need none.
        reference_length=_reference_length(truth, coordinates, labelled, norm=norm) if labelled.any() else 1.0,
    )


def as_mpii(values: NDArray[Any], names: Sequence[str], *, absent: float) -> NDArray[Any]:
    """Return values (K, ...) of K named keypoints in MPII's order; ``absent`` fills the keypoints without one."""
    rows = np.full((NUM_KEYPOINTS, *values.shape[1:]), absent, dtype=values.dtype)
    for name, value in zip(names, values, strict=True):
        if name in KEYPOINT_NAMES:
            rows[KEYPOINT_NAMES.index(name)] = value
    return rows


def _reference_length(
    truth: dict[str, Any], coordinates: NDArray[np.float64], labelled: NDArray[np.bool_], *, norm: str
) -> float | None:
    """Return the length that distances are divided by, image pixels; None for a torso that has none."""
    if norm == "torso":
        for diagonal in TORSO_DIAGONALS:
            shoulder, hip = (KEYPOINT_NAMES.index(name) for name in diagonal)
            length = float(np.linalg.norm(coordinates[shoulder] - coordinates[hip]))
            if labelled[shoulder] and labelled[hip] and length != 0:  # NaN is an error of compute_pckh
                return length
        return None
    if norm == "bbox":
        x1, y1, x2, y2 = np.asarray(truth["bboxes"], dtype=float).reshape(4)
        return float(max(x2 - x1, y2 - y1))
    if "head_size" not in truth:
        raise ValueError("the samples have no head_size: give the dataset headbox_file=... and test_mode=True")
    return float(np.asarray(truth["head_size"]).reshape(()))
