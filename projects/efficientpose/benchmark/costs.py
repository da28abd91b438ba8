"""How a network's cost grows: time with the resolution of its input, memory with the batch."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS

from efficientpose.benchmark.cases import ENGINES
from efficientpose.benchmark.networks import LoadedModel, export_for_engines, settle_random_weights
from efficientpose.benchmark.timing import Timing, time_in_turn
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import Variant, get_variant
from efficientpose.inference.sample_crops import find_crops
from efficientpose.runtime.engines import load_engine

RESOLUTION_STEP = 32
"""Sides of the input are multiples of it: then every stage halves an even number of cells."""


class Latency(NamedTuple):
    """Time of a variant's network at a resolution.

    Attributes:
        variant: Its name.
        resolution: Side of the input, pixels.
        is_own: Whether the variant was published with it.
        timing: Of one crop.
    """

    variant: str
    resolution: int
    is_own: bool
    timing: Timing


class Memory(NamedTuple):
    """Memory of a process that runs a variant's network on a batch.

    Attributes:
        variant: Its name.
        batch: Crops at once; 0 for a process that has loaded the network and not run it.
        peak: Largest resident set, MiB.
    """

    variant: str
    batch: int
    peak: float


def export_at(variant: Variant, resolution: int, *, engine: str, folder: Path) -> Path:
    """Export a variant with random weights for another resolution; return the file that an engine runs.

    Args:
        variant: Which.
        resolution: Side of the input, pixels.
        engine: Of :data:`~efficientpose.benchmark.cases.ENGINES`, with a file.
        folder: Where to.

    Raises:
        ValueError: If the resolution is no multiple of 8.
    """
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


def measure_latency(
    variants: Sequence[str], resolutions: Sequence[int], *, engine: str, threads: int, rounds: int, folder: Path
) -> list[Latency]:
    """Time every variant at every resolution and at its own, all in turn.

    Args:
        variants: Names.
        resolutions: Sides of the input, pixels.
        engine: Of :data:`~efficientpose.benchmark.cases.ENGINES`, with a file.
        threads: Of the network.
        rounds: Runs of each.
        folder: For files.
    """
    ways, is_own = {}, {}
    for name in variants:
        variant = get_variant(name)
        for resolution in sorted({*resolutions, variant.resolution}):
            loaded = load_engine(
                export_at(variant, resolution, engine=engine, folder=folder), engine=engine, threads=threads
            )
            images = np.zeros(_batch_shape(loaded.metadata.input_layout, resolution, batch=1), loaded.input_dtype)
            ways[name, resolution] = lambda engine=loaded, images=images: engine.infer(images)
            is_own[name, resolution] = resolution == variant.resolution
    timings = time_in_turn(ways, rounds=rounds)
    return [Latency(*key, is_own=is_own[key], timing=timing) for key, timing in timings.items()]


def _batch_shape(layout: str, side: int, *, batch: int) -> tuple[int, ...]:
    return (batch, 3, side, side) if layout == "nchw" else (batch, side, side, 3)


def measure_memory(
    variants: Sequence[str], batches: Sequence[int], *, engine: str, threads: int, folder: Path
) -> list[Memory]:
    """Run each variant on each batch in a process of its own, without PyTorch, and see what it needed at most.

    Args:
        variants: Names.
        batches: Crops at once.
        engine: Of :data:`~efficientpose.benchmark.cases.ENGINES`, with a file.
        threads: Of the network.
        folder: For files.

    Raises:
        RuntimeError: If a process fails.
    """
    found = []
    for name in variants:
        variant = get_variant(name)
        file = export_at(variant, variant.resolution, engine=engine, folder=folder)
        for batch in (0, *batches):
            found.append(Memory(name, batch, run_for_memory(file, engine=engine, threads=threads, batch=batch)))
    return found


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


def run_for_memory(file: Path, *, engine: str, threads: int, batch: int) -> float:
    """Return the largest resident set, MiB, of a process that runs a file on a batch; 0 only loads it.

    Raises:
        RuntimeError: If it fails.
    """
    command = [sys.executable, "-c", _MEASURE, str(file), engine, str(threads), str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["it was killed, likely for want of memory"]
        raise RuntimeError(f"{file.name} on {batch} crops: {reason[0]}")
    return float(done.stdout.splitlines()[-1])


def to_json(latencies: Sequence[Latency], memories: Sequence[Memory]) -> dict[str, Any]:
    """Return the numbers as plain data; times are milliseconds, memory MiB."""
    return {
        "latency": [
            {
                "variant": each.variant,
                "resolution": each.resolution,
                "is_own": each.is_own,
                "wall_ms": each.timing.wall._asdict(),
                "cpu_ms": each.timing.cpu._asdict(),
            }
            for each in latencies
        ],
        "memory": [each._asdict() for each in memories],
    }
