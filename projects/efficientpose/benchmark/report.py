"""A benchmark's results: the machine, the rows, their JSON and the printed tables."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import efficientpose
from efficientpose.benchmark.plan import RELEASED, Case
from efficientpose.benchmark.timing import Spread, Timing
from efficientpose.core.files import replacing

FORMAT: Final = 1
TABLE_WIDTH: Final = 180  # of the widest lines; a narrow terminal wraps them, which is better than losing numbers

_PACKAGES = ("torch", "mmpose", "onnxruntime", "openvino", "ai-edge-litert", "opencv-python-headless", "scikit-image")
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "i8mm", "bf16")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case and its times for a batch, of the network alone and from the image's file to keypoints.

    Ratios are of medians, of wall and of processor time, to the baseline of the same variant and threads.
    Shifts are distances of keypoints to the baseline's, in input pixels of the network.
    """

    case: Case
    network: Timing
    end_to_end: Timing
    network_ratio: float
    end_to_end_ratio: float
    network_cpu_ratio: float
    end_to_end_cpu_ratio: float
    flops: float  # of the network for one crop
    share_of_peak: float | None  # of the machine's measured rate; None where it was not measured
    share_of_peak_cpu: float | None  # of rates per second of processor time, which holds on a busy machine too
    crop_shift: float  # the largest on crops of the network's size
    picture_shift: float  # the largest in the image; scaling down rounds differently, too
    picture_shift_median: float


@dataclass(frozen=True, kw_only=True)
class GpuRow:
    """A way to run a network on a GPU, and its time for a batch."""

    variant: str
    way: str  # "torch" is the MMPose model; the others are of efficientpose.inference.fast.prepare_for_inference
    precision: str
    batch: int
    network: Timing
    crops_per_second: float


@dataclass(kw_only=True)
class Report:
    """All results of a benchmark."""

    machine: dict[str, Any]  # processor, cores, and versions of the engines
    settings: dict[str, Any]  # rounds, batch, and the image
    baseline: str  # what ratios are to, in words
    rows: list[Row] = field(default_factory=list)
    gpu_rows: list[GpuRow] = field(default_factory=list)
    peak: dict[int, dict[str, float]] = field(default_factory=dict)  # GFLOP/s, by threads and the kind of product
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain data; times are milliseconds."""
        return {
            "format": FORMAT,
            "machine": self.machine,
            "settings": self.settings,
            "baseline": self.baseline,
            "rows": [_flatten(row) for row in self.rows],
            "gpu": [_flatten(row) for row in self.gpu_rows],
            "peak_gflops": {str(threads): rates for threads, rates in self.peak.items()},
            "notes": self.notes,
        }

    def write(self, path: Path) -> None:
        """Write JSON."""
        with replacing(path) as partial:
            partial.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")


def _flatten(row: Row | GpuRow) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name == "case":
            plain |= value
        elif isinstance(value, tuple):  # a Timing
            wall, cpu = (Spread(*spread) for spread in value)
            plain |= {f"{name}_ms": wall._asdict(), f"{name}_cpu_ms": cpu._asdict()}
        else:
            plain[name] = value
    return plain


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, instructions that matter here, and versions."""
    info = _read_processor()
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "processor": info.get("model name", platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "system": platform.system(),
        "python": platform.python_version(),
        "efficientpose": efficientpose.__version__,
        "packages": {name: found for name in _PACKAGES if (found := _find_version(name)) is not None},
    }


def _read_processor() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def print_report(report: Report, console: Console) -> None:
    """Print the tables and how to read them."""
    wide = Console(file=console.file, width=max(console.width, TABLE_WIDTH))
    wide.print(_make_table(report.rows))
    if report.gpu_rows:
        wide.print(_make_gpu_table(report.gpu_rows))
    for line in _describe(report):
        console.print(line, style="dim", highlight=False)


def _make_table(rows: list[Row]) -> Table:
    with_peak = any(row.share_of_peak is not None for row in rows)
    headings = ["model", "engine", "precision", "threads", "network ms", "/base", "cpu", "end to end ms", "/base"]
    headings += ["cpu", "times", "shift px"] + ["of peak", "cpu"] * with_peak
    table = _start_table("From an image's file to 16 keypoints", headings)
    for row in rows:
        cells = [row.case.variant, row.case.engine, row.case.precision, str(row.case.threads)]
        cells += [_spread(row.network.wall), f"{row.network_ratio:.2f}", f"{row.network_cpu_ratio:.2f}"]
        cells += [_spread(row.end_to_end.wall), f"{row.end_to_end_ratio:.2f}", f"{row.end_to_end_cpu_ratio:.2f}"]
        cells += [f"{1 / row.end_to_end_ratio:.1f}", f"{row.crop_shift:.2f}"]
        shares = (row.share_of_peak, row.share_of_peak_cpu) if with_peak else ()
        table.add_row(*cells, *("" if share is None else f"{share:.0%}" for share in shares))
    return table


def _make_gpu_table(rows: list[GpuRow]) -> Table:
    headings = ["model", "way", "precision", "batch", "ms", "crops/s"]
    table = _start_table("On the GPU, network alone", headings)
    for row in rows:
        rate = f"{row.crops_per_second:.4g}"
        table.add_row(row.variant, row.way, row.precision, str(row.batch), _spread(row.network.wall), rate)
    return table


def _start_table(title: str, headings: list[str]) -> Table:
    """Return a table whose first three columns are words and the others numbers."""
    table = Table(title=title, box=SIMPLE_HEAD)
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=True, justify="left" if number < 3 else "right")
    return table


def _spread(spread: Spread) -> str:
    median, lower, upper = (f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in spread)
    return f"{median} ({lower}-{upper})"


def _describe(report: Report) -> list[str]:
    """Return how to read the table, in lines."""
    settings, machine = report.settings, report.machine
    width, height = settings["picture_size"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {', '.join(machine['instructions'])}; {settings['rounds']} "
        f"rounds in turn, batch {settings['batch']}; {settings['picture']}, {width} x {height} pixels.",
        "ms: median (quartiles). /base: median over the baseline's, cpu: the same of processor time, times: how many "
        f"times as fast from end to end. Baseline: {report.baseline}, same variant and threads.",
        "shift px: largest distance to the baseline's keypoints on crops of the network's size, input pixels.",
    ]
    if report.baseline.startswith(RELEASED):
        for variant in dict.fromkeys(row.case.variant for row in report.rows):
            of_variant = (row for row in report.rows if row.case.variant == variant)
            row = max(of_variant, key=lambda row: row.picture_shift)
            lines.append(
                f"{variant}: in the image itself keypoints are {row.picture_shift_median:.2f} (median) to "
                f"{row.picture_shift:.2f} (largest) input px from the released pipeline's: two ways to shrink it round "
                "differently, and keypoints with low scores may jump."
            )
    for threads, rates in report.peak.items():
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        lines.append(f"float32 peak with {threads} threads, GFLOP/s: {shown}; of peak: against the higher one.")
    return lines + [f"{note}." for note in report.notes]
