"""Draw how cost grows: time against resolution and, beside it, memory against batch."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from efficientpose.benchmark.costs import Latency, Memory
from efficientpose.core.variants import get_variant

SMALL = 9


def draw_costs(latencies: Sequence[Latency], memories: Sequence[Memory], *, title: str) -> Figure:
    """Draw both, one line a variant; a variant's own resolution is marked."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    figure.suptitle(title, fontsize=SMALL + 1)
    time_axes, memory_axes = figure.subplots(1, 2)
    names = list(dict.fromkeys([each.variant for each in latencies] + [each.variant for each in memories]))
    for number, name in enumerate(names):
        colour, label = f"C{number % 10}", get_variant(name).title.removeprefix("EfficientPose ")
        points = sorted((each for each in latencies if each.variant == name), key=lambda each: each.resolution)
        sides = [each.resolution for each in points]
        walls = [each.timing.wall for each in points]
        time_axes.plot(sides, [wall.median for wall in walls], color=colour, marker=".", label=label)
        time_axes.fill_between(
            sides, [wall.lower for wall in walls], [wall.upper for wall in walls], color=colour, alpha=0.2, linewidth=0
        )
        own = [each for each in points if each.is_own]
        own_sides, own_medians = [each.resolution for each in own], [each.timing.wall.median for each in own]
        time_axes.plot(own_sides, own_medians, "o", color=colour, markersize=9)
        needs = sorted((each.batch, each.peak) for each in memories if each.variant == name)
        batches, peaks = [batch for batch, _ in needs], [peak for _, peak in needs]
        memory_axes.plot(batches, peaks, color=colour, marker=".", label=label)
    time_axes.set(xlabel="side of the input, pixels (large dot: as published)", ylabel="network, ms a crop")
    time_axes.set_yscale("log")
    time_axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    time_axes.yaxis.set_major_formatter("{x:g}")
    time_axes.yaxis.set_minor_formatter(NullFormatter())
    memory_axes.set(xlabel="batch (0: loaded, not run)", ylabel="largest resident set, MiB")
    memory_axes.set_ylim(bottom=0)
    for axes in (time_axes, memory_axes):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=SMALL)
    return figure
