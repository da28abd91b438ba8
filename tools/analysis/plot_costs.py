"""Draw how cost grows: latency against resolution and variant, and memory against batch.

Example:
    python tools/analysis/plot_costs.py --out costs.png

Writes the picture and, beside it, the numbers as JSON. Networks have random weights and run as exported files. Times
are of one crop, everything in turn in one run; memory is the largest resident set of a process that does nothing else.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.benchmark.cases import ENGINES
from efficientpose.benchmark.cost_plot import draw_costs
from efficientpose.benchmark.costs import RESOLUTION_STEP, measure_latency, measure_memory, to_json
from efficientpose.benchmark.machine import describe_machine
from efficientpose.core.files import replacing
from efficientpose.core.variants import VARIANTS
from efficientpose.engine.figures import check_figure_path, save_figure


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    engines = [name for name, kind in ENGINES.items() if kind.format is not None]
    parser = argparse.ArgumentParser(description="Draw latency against resolution, and memory against batch.")
    parser.add_argument("--model", nargs="+", choices=list(VARIANTS), default=["rt", "i", "ii"], help="variants")
    parser.add_argument("--resolutions", nargs="+", type=int, default=[128, 192, 256, 320, 384, 448], help="pixels")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32], help="crops at once")
    parser.add_argument("--engine", choices=engines, default="openvino", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="of the network (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="runs of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("costs.png"), help="picture (default: %(default)s)")
    return parser.parse_args()


def check(arguments: argparse.Namespace) -> None:
    """Check numbers before anything is measured.

    Raises:
        ValueError: If one cannot be measured.
    """
    if wrong := [side for side in arguments.resolutions if side < RESOLUTION_STEP or side % RESOLUTION_STEP]:
        raise ValueError(f"--resolutions are multiples of {RESOLUTION_STEP}, not {', '.join(map(str, wrong))}")
    for name in ("threads", "rounds"):
        if getattr(arguments, name) < 1:
            raise ValueError(f"--{name} must be 1 or more, got {getattr(arguments, name)}")
    if min(arguments.batches) < 1:
        raise ValueError(f"--batches must be 1 or more, got {', '.join(map(str, arguments.batches))}")


def main() -> int:
    """Measure, draw and write the numbers; return the exit status."""
    arguments = parse_arguments()
    settings = dict(engine=arguments.engine, threads=arguments.threads)
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
        with replacing(arguments.out.with_suffix(".json")) as partial:
            partial.write_text(json.dumps(numbers | to_json(latencies, memories), indent=2) + "\n", encoding="utf-8")
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"drawn in {arguments.out}, numbers in {arguments.out.with_suffix('.json')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
