"""Draw training curves of one or several runs from MMEngine's JSON logs.

Example:
    python tools/analysis/plot_curves.py work_dirs/efficientpose_rt_synthetic --keys loss PCKh@0.5 --out curves.png

MMPose's ``analyze_logs.py`` takes no resumed run, leaves out the scores of validation, and needs seaborn.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.figures import save_figure

Record = dict[str, Any]

TRAINING_LINE = re.compile(r"Epoch\(train\) *\[\d+\]\[ *\d+/(\d+)\]")
COUNTERS = {"epoch", "iter", "step"}


class Curve(NamedTuple):
    """One logged quantity of one run, over epochs done, with fractions, or over steps done in a run without epochs."""

    x: list[float]
    y: list[float]


class RunLog(NamedTuple):
    """One run's curves by key, and whether they are over epochs; otherwise over steps."""

    by_epoch: bool
    curves: dict[str, Curve]


def main() -> int:
    """Draw the curves and print each one's last value; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw training curves of one or several runs.")
    parser.add_argument("work_dirs", type=Path, nargs="+", metavar="WORK_DIR", help="work folder of a run")
    parser.add_argument("--keys", nargs="+", default=["loss", "PCKh@0.5"], help="what to draw (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="image (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        runs = {name: read_run(work_dir) for name, work_dir in name_runs(arguments.work_dirs).items()}
        curves = select(runs, arguments.keys)
        over = "epoch" if next(iter(runs.values())).by_epoch else "step"
        save_figure(draw_curves(curves, x_label=over), arguments.out)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for key, drawn in curves.items():
        for name, curve in drawn:
            print(f"{key}, {name}: {curve.y[-1]:.5g} at {over} {curve.x[-1]:.5g}")
    print(f"drawn in {arguments.out}")
    return 0


def name_runs(work_dirs: list[Path]) -> dict[str, Path]:
    """Name work folders by the shortest ends of their paths that differ."""
    parts = [folder.resolve().parts for folder in work_dirs]
    if len(set(parts)) < len(parts):
        twice = next(folder for folder, each in zip(work_dirs, parts, strict=True) if parts.count(each) > 1)
        raise ValueError(f"{twice} is given twice: name each work folder once")
    depth = 1
    while len({each[-depth:] for each in parts}) < len(parts):
        depth += 1
    return {"/".join(each[-depth:]): folder for each, folder in zip(parts, work_dirs, strict=True)}


def read_run(work_dir: Path) -> RunLog:
    """Read a work folder's logs, ``*/vis_data/scalars.json``, one a start of the run, in order.

    What a later start logged replaces all that earlier ones had logged from there on.
    """
    paths = sorted(work_dir.glob("*/vis_data/scalars.json"))
    if not paths:
        expected = "expected the work folder of a training run, with */vis_data/scalars.json"
        raise FileNotFoundError(f"{work_dir}: no logs there; {expected}")
    starts = [_read_records(path) for path in paths]
    training = [record for records in starts for record in records if "iter" in record]
    by_epoch = all("epoch" in record for record in training) and bool(training)
    epoch_length = (_find_epoch_length(paths) or _infer_epoch_length(training)) if by_epoch else 1
    merged: list[tuple[float, Record]] = []
    for records in starts:
        # Validation logs the epochs or steps that are done as its step.
        placed = [(record.get("iter", 0) / epoch_length or float(record["step"]), record) for record in records]
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
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):  # the last one may be cut off: the run was killed while it wrote it
                raise ValueError(f"{path}, line {number}: not JSON ({error}); expected one record a line") from error
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
    """Return the steps of an epoch as closely as the JSON logs say: step i of epoch e means at least i / e steps."""
    return max(-(-record["iter"] // record["epoch"]) for record in training)


def _collect(merged: list[tuple[float, Record]]) -> dict[str, Curve]:
    """Return each key's curve; keys that training logs, such as a step's time, come from training alone."""
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
    """Return each key's curves with the names of their runs; every key must be in one run at least."""
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


def draw_curves(curves: Mapping[str, Sequence[tuple[str, Curve]]], *, x_label: str) -> Figure:
    """Draw one panel a key, each with one line a run."""
    num_columns = min(3, len(curves))
    num_rows = math.ceil(len(curves) / num_columns)
    figure = Figure(figsize=(5.5 * num_columns, 4 * num_rows), layout="constrained")
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    furthest = max(curve.x[-1] for runs in curves.values() for _, curve in runs)
    names = list(dict.fromkeys(name for runs in curves.values() for name, _ in runs))
    for panel, (key, runs) in zip(panels, curves.items(), strict=False):
        for name, curve in runs:
            marker = "." if len(curve.x) <= 40 else None
            panel.plot(curve.x, curve.y, label=name, color=f"C{names.index(name) % 10}", linewidth=1.2, marker=marker)
        panel.set(title=key, xlabel=x_label, xlim=(0, 1.02 * furthest))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    for unused in panels[len(curves) :]:
        unused.set_visible(False)
    return figure


if __name__ == "__main__":
    sys.exit(main())
