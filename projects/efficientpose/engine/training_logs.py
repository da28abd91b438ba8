"""Training curves out of the JSON logs that MMEngine writes."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]

TRAINING_LINE = re.compile(r"Epoch\(train\) *\[\d+\]\[ *\d+/(\d+)\]")
COUNTERS = {"epoch", "iter", "step"}


class Curve(NamedTuple):
    """One logged quantity of one run.

    Attributes:
        x: Epochs done, with fractions; steps done in a run without epochs. Ascending.
        y: The values.
    """

    x: list[float]
    y: list[float]


class RunLog(NamedTuple):
    """What one run logged.

    Attributes:
        by_epoch: Whether the curves are over epochs; otherwise over steps.
        curves: Per key.
    """

    by_epoch: bool
    curves: dict[str, Curve]


def read_run(work_dir: Path) -> RunLog:
    """Read a work folder's logs, ``*/vis_data/scalars.json``, one a start of the run, in order.

    A run that was resumed goes on where it was resumed: what a later start logged replaces all that earlier ones had
    logged from there on.

    Raises:
        FileNotFoundError: If there are no logs.
        ValueError: If a log is broken, or nothing was logged.
    """
    paths = sorted(work_dir.glob("*/vis_data/scalars.json"))
    if not paths:
        raise FileNotFoundError(
            f"{work_dir}: no logs there; expected the work folder of a training run, with */vis_data/scalars.json"
        )
    starts = [_read_records(path) for path in paths]
    training = [record for records in starts for record in records if "iter" in record]
    by_epoch = all("epoch" in record for record in training) and bool(training)
    epoch_length = (_find_epoch_length(paths) or _infer_epoch_length(training)) if by_epoch else 1
    merged: list[tuple[float, Record]] = []
    for records in starts:
        placed = [(_position(record, epoch_length=epoch_length), record) for record in records]
        first = min((position for position, _ in placed), default=float("inf"))
        merged = [(position, record) for position, record in merged if position < first] + placed
    curves = _collect(merged)
    if not curves:
        raise ValueError(f"{work_dir}: its logs are empty: nothing was logged before the run ended")
    return RunLog(by_epoch=by_epoch, curves=curves)


def _read_records(path: Path) -> list[Record]:
    records = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break  # the run was killed while it wrote this line
            raise ValueError(f"{path}, line {number}: not JSON ({error}); expected one record a line") from error
        records.append(record)
    return records


def _find_epoch_length(paths: list[Path]) -> int | None:
    """Return the steps of an epoch from the last text log beside the JSON logs, "Epoch(train) [1][ 50/250]"."""
    for path in reversed(paths):
        for text_log in path.parents[1].glob("*.log"):
            with text_log.open(encoding="utf-8") as lines:
                found = next((match for line in lines if (match := TRAINING_LINE.search(line))), None)
            if found:
                return int(found[1])
    return None


def _infer_epoch_length(training: list[Record]) -> int:
    """Return the steps of an epoch as exactly as the JSON logs tell: they count steps and epochs, but not this.

    Step i of epoch e (both from 1) says that an epoch has at least i / e steps.
    """
    return max(-(-record["iter"] // record["epoch"]) for record in training)


def _position(record: Record, *, epoch_length: int) -> float:
    """Return the epochs or steps that were done when a record was written; validation logs them as its step."""
    if "iter" not in record:
        return float(record["step"])
    return record["iter"] / epoch_length


def _collect(merged: list[tuple[float, Record]]) -> dict[str, Curve]:
    """Return each key's curve; what training logs is taken from training alone, such as the time a step takes."""
    training_keys = {key for _, record in merged if "iter" in record for key in record}
    curves: dict[str, Curve] = {}
    for position, record in sorted(merged, key=lambda each: each[0]):
        for key, value in record.items():
            is_foreign = "iter" not in record and key in training_keys
            if key in COUNTERS or is_foreign or not isinstance(value, int | float):
                continue
            curve = curves.setdefault(key, Curve([], []))
            curve.x.append(position)
            curve.y.append(float(value))
    return curves


def select(runs: dict[str, RunLog], keys: list[str]) -> dict[str, list[tuple[str, Curve]]]:
    """Return each key's curves, run by run.

    Args:
        runs: Logs by the name of the run.
        keys: What to select; every key must be in one run at least.

    Raises:
        ValueError: If no run has logged a key, or some runs have epochs and others not.
    """
    if len({run.by_epoch for run in runs.values()}) > 1:
        without = [name for name, run in runs.items() if not run.by_epoch]
        raise ValueError(f"{', '.join(without)}: logged without epochs, unlike the other runs; draw them on their own")
    selected = {}
    for key in keys:
        selected[key] = [(name, run.curves[key]) for name, run in runs.items() if key in run.curves]
        if not selected[key]:
            known = sorted({known for run in runs.values() for known in run.curves})
            raise ValueError(f"{key!r} was not logged; there are {', '.join(known)}")
    return selected


def name_runs(work_dirs: list[Path]) -> dict[str, Path]:
    """Return work folders by the shortest ends of their paths that tell them apart.

    Raises:
        ValueError: If a folder is given twice.
    """
    parts = [folder.resolve().parts for folder in work_dirs]
    if len(set(parts)) < len(parts):
        twice = next(folder for folder, each in zip(work_dirs, parts, strict=True) if parts.count(each) > 1)
        raise ValueError(f"{twice} is given twice: name each work folder once")
    depth = 1
    while len({each[-depth:] for each in parts}) < len(parts):
        depth += 1
    return {"/".join(each[-depth:]): folder for each, folder in zip(parts, work_dirs, strict=True)}
