"""Draw how cost grows: latency against resolution and variant, and memory against batch.

Example:
    python tools/analysis/plot_costs.py --out costs.png

Writes the figure and, beside it, the numbers as JSON. Networks have random weights and run as exported files. Times are
of one crop, everything in turn in one run; memory is the largest resident set of a process that does nothing else.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.benchmark.costs import RESOLUTION_STEP, draw_costs, measure_latency, measure_memory, to_json
from efficientpose.benchmark.plan import ENGINES
from efficientpose.benchmark.report import describe_machine
from efficientpose.core.files import replacing
from efficientpose.core.variants import VARIANTS
from efficientpose.engine.figures import check_figure_path, save_figure


def main() -> int:
    """Measure, draw and write the numbers; return the exit status."""
    engines = [name for name, kind in ENGINES.items() if kind.format is not None]
    parser = argparse.ArgumentParser(description="Draw latency against resolution, and memory against batch.")
    parser.add_argument("--model", nargs="+", choices=list(VARIANTS), default=["rt", "i", "ii"], help="variants")
    parser.add_argument("--resolutions", nargs="+", type=int, default=[128, 192, 256, 320, 384, 448], help="pixels")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32], help="crops at once")
    parser.add_argument("--engine", choices=engines, default="openvino", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="of the network (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="runs of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("costs.png"), help="image (default: %(default)s)")
    arguments = parser.parse_args()
    settings = dict(engine=arguments.engine, threads=arguments.threads)
    numbers_file = arguments.out.with_suffix(".json")
    try:
        check(arguments)
        check_figure_path(arguments.out)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            memories = measure_memory(arguments.model, arguments.batches, folder=folder, **settings)
            latencies = measure_latency(
                arguments.model, arguments.resolutions, rounds=arguments.rounds, folder=folder, **settings
            )
        machine = describe_machine()
        title = f"{arguments.engine}, float32, {arguments.threads} threads, {machine['processor']}"
        save_figure(draw_costs(latencies, memories, title=title), arguments.out)
        numbers = {"machine": machine, "settings": settings | {"rounds": arguments.rounds}}
        with replacing(numbers_file) as partial:
            partial.write_text(json.dumps(numbers | to_json(latencies, memories), indent=2) + "\n", encoding="utf-8")
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"drawn in {arguments.out}, numbers in {numbers_file}")
    return 0


def check(arguments: argparse.Namespace) -> None:
    """Check numbers before anything is measured."""
    if wrong := [side for side in arguments.resolutions if side < RESOLUTION_STEP or side % RESOLUTION_STEP]:
        raise ValueError(f"--resolutions are multiples of {RESOLUTION_STEP}, not {', '.join(map(str, wrong))}")
    for name in ("threads", "rounds", "batches"):
        given = getattr(arguments, name)
        numbers = given if isinstance(given, list) else [given]
        if min(numbers) < 1:
            raise ValueError(f"--{name} must be 1 or more, got {', '.join(map(str, numbers))}")


if __name__ == "__main__":
    sys.exit(main())
