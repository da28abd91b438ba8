"""Pictures of schedules, range tests and training curves, drawn without a display."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from efficientpose.core.files import make_writable_folder, replacing
from efficientpose.engine.divergence import RangeCurve, round_down
from efficientpose.engine.schedule_replay import Schedules
from efficientpose.engine.training_logs import Curve

DOTS_PER_INCH = 150
GREY = "0.3"
SMALL = 9
LOWEST_SHARE = 1e-5  # of the highest rate that a picture shows: some schedules end next to 0


def check_picture_path(path: Path) -> str:
    """Return the format that a picture's suffix names, and make its folder; for before hours of measuring, too.

    Raises:
        ValueError: If there is no such format.
        OSError: If the folder cannot be written to.
    """
    suffix = path.suffix.removeprefix(".").lower()
    formats = FigureCanvasAgg(Figure()).get_supported_filetypes()
    if suffix not in formats:
        raise ValueError(f"{path}: pictures end in one of {', '.join(sorted(formats))}; try {path.with_suffix('.png')}")
    make_writable_folder(path.parent)
    return suffix


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the path's suffix names.

    Raises:
        ValueError: If there is no such format.
        OSError: If the file cannot be written.
    """
    suffix = check_picture_path(path)
    with replacing(path) as partial:
        figure.savefig(partial, format=suffix, dpi=DOTS_PER_INCH)


def draw_schedules(schedules: Schedules, *, title: str) -> Figure:
    """Draw λ of each step on a logarithmic axis and, below it, σ of each epoch (the paper's Fig. 5)."""
    has_sigma = schedules.sigmas is not None
    figure = Figure(figsize=(10, 6 if has_sigma else 4), layout="constrained")
    axes = figure.subplots(2 if has_sigma else 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + has_sigma])
    rate_axes = axes[0, 0]
    num_epochs = len(schedules.rates) / schedules.epoch_length
    epochs = np.arange(len(schedules.rates)) / schedules.epoch_length
    rate_axes.set_title(title)
    rate_axes.plot(epochs, schedules.rates, linewidth=0.9)
    rate_axes.set_yscale("log")
    rate_axes.set_ylabel("learning rate $\\lambda$")
    highest = schedules.rates.max()
    lowest = max(schedules.rates.min(), highest * LOWEST_SHARE)
    rate_axes.set_ylim(lowest / 1.5, highest * 1.5)
    _mark_height(rate_axes, highest, f"$\\lambda_{{max}}$ = {highest:.3g}")
    if schedules.limit is not None:
        _mark_height(rate_axes, schedules.limit, f"$\\lambda_\\infty$ = {schedules.limit:.3g}")
    elif lowest <= schedules.rates[-1] < highest:
        _mark_height(rate_axes, schedules.rates[-1], f"last: {schedules.rates[-1]:.3g}")
    if schedules.sigmas is not None:
        sigma_axes = axes[1, 0]
        sigma_axes.stairs(schedules.sigmas, np.arange(len(schedules.sigmas) + 1), baseline=None, linewidth=1.5)
        sigma_axes.set_ylabel("heatmap width $\\sigma$\n(fraction of the map)")
        sigma_axes.set_ylim(0, 1.2 * schedules.sigmas.max())
        for sigma, first, last in schedules.sigma_levels():
            place = ((first - 1 + last) / 2, sigma)
            sigma_axes.annotate(
                f"{sigma:.3g}", place, (0, 4), textcoords="offset points", ha="center", fontsize=SMALL, color=GREY
            )
    for each in axes[:, 0]:
        each.grid(alpha=0.3)
    axes[-1, 0].set_xlabel(f"epoch ({schedules.epoch_length:,} steps each)")
    axes[-1, 0].set_xlim(0, num_epochs)
    return figure


def _mark_height(axes: Axes, height: float, text: str) -> None:
    axes.axhline(height, color=GREY, linewidth=0.8, linestyle=(0, (6, 4)))
    axes.annotate(
        text,
        (1, height),
        (4, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color=GREY,
    )


def draw_rate_range(curve: RangeCurve, *, title: str) -> Figure:
    """Draw the loss over the learning rate, with λmax and, where it is reached, the rate of divergence marked."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    smoothed = np.array(curve.smoothed)
    finite = np.isfinite(curve.losses)
    axes.plot(np.array(curve.rates)[finite], np.array(curve.losses)[finite], linewidth=0.6, alpha=0.45, label="loss")
    axes.plot(curve.rates, smoothed, linewidth=1.8, label="smoothed")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate $\\lambda$")
    axes.set_ylabel("training loss")
    axes.set_title(title)
    shown = smoothed[np.isfinite(smoothed)]
    low, high = shown.min(), max(shown[0], shown.min() * curve.divergence_factor)
    margin = 0.12 * (high - low)
    axes.set_ylim(low - margin, high + 2 * margin)
    _mark_rate(
        axes, curve.max_rate, f"$\\lambda_{{max}}$ = {round_down(curve.max_rate):.2g}", color="tab:green", on_left=True
    )
    if curve.diverged:
        _mark_rate(axes, curve.rates[-1], f"diverged at {curve.rates[-1]:.2g}", color="tab:red", on_left=False)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return figure


def _mark_rate(axes: Axes, rate: float, text: str, *, color: str, on_left: bool) -> None:
    axes.axvline(rate, color=color, linewidth=1.2, linestyle="--")
    axes.annotate(
        text,
        (rate, 0.98),
        (-4 if on_left else 4, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        rotation=90,
        ha="right" if on_left else "left",
        va="top",
        color=color,
        fontsize=SMALL,
    )


def draw_curves(curves: Mapping[str, Sequence[tuple[str, Curve]]], *, x_label: str) -> Figure:
    """Draw one panel a key, each with one line a run.

    Args:
        curves: Per key, the runs that logged it: name and curve.
        x_label: What the curves are over.
    """
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
        panel.set_title(key)
        panel.set_xlabel(x_label)
        panel.set_xlim(0, 1.02 * furthest)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    for unused in panels[len(curves) :]:
        unused.set_visible(False)
    return figure
