"""Print what a benchmark found."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from efficientpose.benchmark.cases import RELEASED
from efficientpose.benchmark.results import GpuRow, Report, Row
from efficientpose.benchmark.timing import Spread

TABLE_WIDTH = 180
"""Columns that the widest lines take; a narrow terminal wraps them, which is better than losing numbers."""


def print_report(report: Report, console: Console) -> None:
    """Print tables and what they are to be read with."""
    wide = Console(file=console.file, width=max(console.width, TABLE_WIDTH))
    wide.print(make_table(report))
    if report.gpu_rows:
        wide.print(make_gpu_table(report.gpu_rows))
    for line in describe(report):
        console.print(line, style="dim", highlight=False)


def make_table(report: Report) -> Table:
    """Return one line a row."""
    with_peak = any(row.share_of_peak is not None for row in report.rows)
    headings = ["model", "engine", "precision", "threads", "network ms", "/base", "cpu", "end to end ms", "/base"]
    headings += ["cpu", "times", "shift px"] + ["of peak", "cpu"] * with_peak
    table = Table(title="From a picture's file to 16 keypoints", box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(
            heading, no_wrap=True, justify="left" if heading in ("model", "engine", "precision") else "right"
        )
    for row in report.rows:
        table.add_row(*_cells(row, with_peak=with_peak))
    return table


def _cells(row: Row, *, with_peak: bool) -> list[str]:
    cells = [row.case.variant, row.case.engine, row.case.precision, str(row.case.threads)]
    cells += [_spread(row.network.wall), f"{row.network_ratio:.2f}", f"{row.network_cpu_ratio:.2f}"]
    cells += [_spread(row.end_to_end.wall), f"{row.end_to_end_ratio:.2f}", f"{row.end_to_end_cpu_ratio:.2f}"]
    cells += [f"{1 / row.end_to_end_ratio:.1f}", f"{row.crop_shift:.2f}"]
    if with_peak:
        cells += ["" if share is None else f"{share:.0%}" for share in (row.share_of_peak, row.share_of_peak_cpu)]
    return cells


def _spread(spread: Spread) -> str:
    median, lower, upper = (f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in spread)
    return f"{median} ({lower}-{upper})"


def make_gpu_table(rows: list[GpuRow]) -> Table:
    """Return one line a row."""
    table = Table(title="On the GPU, network alone", box=SIMPLE_HEAD)
    for heading in ("model", "way", "precision", "batch", "ms", "crops/s"):
        table.add_column(heading, no_wrap=True, justify="left" if heading in ("model", "way", "precision") else "right")
    for row in rows:
        rate = f"{row.crops_per_second:.4g}"
        table.add_row(row.variant, row.way, row.precision, str(row.batch), _spread(row.network.wall), rate)
    return table


def describe(report: Report) -> list[str]:
    """Return what the table is to be read with, in lines."""
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
        lines += _describe_pictures(report.rows)
    for threads, rates in report.peak.items():
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        lines.append(f"float32 peak with {threads} threads, GFLOP/s: {shown}; of peak: against the higher one.")
    return lines + [f"{note}." for note in report.notes]


def _describe_pictures(rows: list[Row]) -> list[str]:
    """Say how far keypoints in the picture itself are from the released pipeline's, variant by variant."""
    farthest: dict[str, Row] = {}
    for row in rows:
        known = farthest.setdefault(row.case.variant, row)
        if row.picture_shift > known.picture_shift:
            farthest[row.case.variant] = row
    return [
        f"{variant}: in the picture itself keypoints are {row.picture_shift_median:.2f} (median) to "
        f"{row.picture_shift:.2f} (largest) input px from the released pipeline's: two ways to shrink it round "
        "differently, and joints that score low may jump."
        for variant, row in farthest.items()
    ]
