"""How a network's cost grows: time with the resolution of its input, memory with the batch."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS

from efficientpose.benchmark.networks import LoadedModel, export_for_engines, settle_random_weights
from efficientpose.benchmark.plan import ENGINES
from efficientpose.benchmark.timing import Timing, time_in_turn
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import Variant, get_variant
from efficientpose.inference.sample_crops import find_crops
from efficientpose.runtime.engines import load_engine

RESOLUTION_STEP: Final = 32  # sides of the input are multiples of it: then every stage halves an even number of cells


class Latency(NamedTuple):
    """Time of a variant's network on one crop; ``resolution`` is the input's side, pixels, ``is_own`` as published."""

    variant: str
    resolution: int
    is_own: bool
    timing: Timing


class Memory(NamedTuple):
    """Largest resident set, MiB, of a process that runs a variant's network on a batch; on 0 crops it only loads it."""

    variant: str
    batch: int
    peak: float


def measure_latency(
    variants: Sequence[str], resolutions: Sequence[int], *, engine: str, threads: int, rounds: int, folder: Path
) -> list[Latency]:
    """Time every variant at every resolution (side of the input, pixels) and at its own, all in turn."""
    ways, is_own = {}, {}
    for name in variants:
        variant = get_variant(name)
        for resolution in sorted({*resolutions, variant.resolution}):
            file = export_at(variant, resolution, engine=engine, folder=folder)
            loaded = load_engine(file, engine=engine, threads=threads)
            is_nchw = loaded.metadata.input_layout == "nchw"
            shape = (1, 3, resolution, resolution) if is_nchw else (1, resolution, resolution, 3)
            images = np.zeros(shape, loaded.input_dtype)
            ways[name, resolution] = lambda engine=loaded, images=images: engine.infer(images)
            is_own[name, resolution] = resolution == variant.resolution
    timings = time_in_turn(ways, rounds=rounds)
    return [Latency(*key, is_own=is_own[key], timing=timing) for key, timing in timings.items()]


def export_at(variant: Variant, resolution: int, *, engine: str, folder: Path) -> Path:
    """Export a variant with random weights for another resolution, if need be; return the file that an engine runs."""
    target = folder / f"{variant.name}_{resolution}"
    target.mkdir(exist_ok=True)
    if (file := target / f"efficientpose_{variant.name}{ENGINES[engine].suffix}").is_file():
        return file
    loaded = LoadedModel(_build_at(variant, resolution), "random")
    crops = find_crops((resolution, resolution))
    return export_for_engines(loaded, variant, engines=[engine], crops=crops, folder=target)[engine]


def _build_at(variant: Variant, resolution: int) -> TopdownPoseEstimator:
    config = Config.fromfile(mpii_config_path(variant.name))
    config.model.head.decoder.input_size = (resolution, resolution)
    init_default_scope("mmpose")
    torch.manual_seed(0)
    model: TopdownPoseEstimator = MODELS.build(config.model)
    settle_random_weights(model)
    return model


def measure_memory(
    variants: Sequence[str], batches: Sequence[int], *, engine: str, threads: int, folder: Path
) -> list[Memory]:
    """Run each variant on each batch in a process of its own, without PyTorch; 0 crops only load it."""
    memories = []
    for variant in map(get_variant, variants):
        file = export_at(variant, variant.resolution, engine=engine, folder=folder)
        for batch in (0, *batches):
            memories.append(Memory(variant.name, batch, run_for_memory(file, engine, threads=threads, batch=batch)))
    return memories


# ru_maxrss would begin with what the process that starts this one has; the system's own count begins anew
_MEASURE = """
import sys
from pathlib import Path
import numpy as np
from efficientpose.runtime.engines import load_engine
file, engine, threads, batch = sys.argv[1:]
loaded = load_engine(Path(file), engine=engine, threads=int(threads))
width, height = loaded.metadata.input_size
sides = (3, height, width) if loaded.metadata.input_layout == "nchw" else (height, width, 3)
for _ in range(2 if int(batch) else 0):
    loaded.infer(np.zeros((int(batch), *sides), loaded.input_dtype))
status = Path("/proc/self/status")
if status.is_file():
    print(next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    import resource
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(largest / 1024 / (1024 if sys.platform == "darwin" else 1))  # bytes there, KiB elsewhere
"""


def run_for_memory(file: Path, engine: str, *, threads: int, batch: int) -> float:
    """Return the largest resident set, MiB, of a process that runs a file on a batch; 0 only loads it."""
    command = [sys.executable, "-c", _MEASURE, str(file), engine, str(threads), str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["it was killed, likely for want of memory"]
        raise RuntimeError(f"{file.name} on {batch} crops: {reason[0]}")
    return float(done.stdout.splitlines()[-1])


def to_json(latencies: Sequence[Latency], memories: Sequence[Memory]) -> dict[str, Any]:
    """Return the numbers as plain data; times are milliseconds, memory MiB."""
    latency = []
    for variant, resolution, is_own, (wall, cpu) in latencies:
        times = {"wall_ms": wall._asdict(), "cpu_ms": cpu._asdict()}
        latency.append({"variant": variant, "resolution": resolution, "is_own": is_own, **times})
    return {"latency": latency, "memory": [each._asdict() for each in memories]}


def draw_costs(latencies: Sequence[Latency], memories: Sequence[Memory], *, title: str) -> Figure:
    """Draw time against resolution and memory against batch, one line a variant; its own resolution is marked."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    time_axes, memory_axes = figure.subplots(1, 2)
    names = dict.fromkeys([each.variant for each in latencies] + [each.variant for each in memories])
    for number, name in enumerate(names):
        colour, label = f"C{number % 10}", get_variant(name).title.removeprefix("EfficientPose ")
        points = sorted((each for each in latencies if each.variant == name), key=lambda each: each.resolution)
        sides = [each.resolution for each in points]
        walls = [each.timing.wall for each in points]
        time_axes.plot(sides, [wall.median for wall in walls], color=colour, marker=".", label=label)
        lower, upper = [wall.lower for wall in walls], [wall.upper for wall in walls]
        time_axes.fill_between(sides, lower, upper, color=colour, alpha=0.2, linewidth=0)
        own = np.array([(each.resolution, each.timing.wall.median) for each in points if each.is_own]).reshape(-1, 2)
        time_axes.plot(*own.T, "o", color=colour, markersize=9)
        batches, peaks = zip(*sorted(each[1:] for each in memories if each.variant == name), strict=True)
        memory_axes.plot(batches, peaks, color=colour, marker=".", label=label)
    time_axes.set(
        xlabel="side of the input, pixels (large dot: as published)", ylabel="network, ms a crop", yscale="log"
    )
    time_axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    time_axes.yaxis.set_major_formatter("{x:g}")
    time_axes.yaxis.set_minor_formatter(NullFormatter())
    memory_axes.set(xlabel="batch (0: loaded, not run)", ylabel="largest resident set, MiB", ylim=(0, None))
    for axes in (time_axes, memory_axes):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    return figure
