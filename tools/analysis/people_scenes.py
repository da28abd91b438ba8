"""Measure how many people and joints are found in scenes: in one pass, by search, and by crops at perfect boxes.

Examples:
    python tools/analysis/people_scenes.py --weights EfficientPoseI.h5 --variant i --lspet data/lspet
    python tools/analysis/people_scenes.py --weights EfficientPoseI.h5 --variant i --lspet data/lspet --timing

Scenes are people of LSP Extended's validation part side by side or overlapping, and synthetic people. The crops route
is given every person's true box; compare the joints above all. Annotations of LSP Extended have no thorax and pelvis,
are noisy, and leave out bystanders, which count as wrongly found.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from people_scores import (
    KINDS,
    PeopleModels,
    draw_scenes,
    load_models,
    score_scenes,
    time_people,
)

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Measure finding several people, in one pass and by crops.")
    parser.add_argument("--variant", default="i", help="network (default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="checkpoint or released file (default: as the demo finds them)")
    parser.add_argument("--lspet", type=Path, help="LSP Extended in MPII's layout; without it synthetic people only")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="scenes (default: all)")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4, 8, 12], help="in a scene")
    parser.add_argument("--scenes", type=int, default=3, help="of each kind and number (default: %(default)s)")
    parser.add_argument(
        "--size", type=float, default=230, help="middle size of a person, pixels (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same scenes (default: %(default)s)")
    parser.add_argument("--timing", action="store_true", help="measure times on one picture size instead")
    parser.add_argument("--rounds", type=int, default=5, help="of timing (default: %(default)s)")
    return parser.parse_args()


def print_scores(arguments: argparse.Namespace, models: PeopleModels) -> None:
    """Print a table of precision and recall."""
    for kind in arguments.kinds:
        for num_people in arguments.people:
            scenes = draw_scenes(
                kind,
                lspet=arguments.lspet,
                num_people=num_people,
                num_scenes=arguments.scenes,
                size=arguments.size,
                seed=arguments.seed,
            )
            for route, counts in score_scenes(models, scenes).items():
                scores = ", ".join(f"{name} {score:.1f}" for name, score in counts.scores.items())
                print(f"{kind}, {num_people} people, {route}: {scores}", flush=True)


def print_times(arguments: argparse.Namespace, models: PeopleModels) -> None:
    """Print median milliseconds against the number of people."""
    for num_people in arguments.people:
        times = time_people(models, num_people=num_people, num_rounds=arguments.rounds, seed=arguments.seed)
        text = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in times.items())
        print(f"{num_people} people: {text}", flush=True)


def main() -> int:
    """Measure and print; return the exit status."""
    arguments = parse_arguments()
    measure: Callable[[argparse.Namespace, PeopleModels], None] = print_times if arguments.timing else print_scores
    if arguments.lspet is None:
        arguments.kinds = [kind for kind in arguments.kinds if kind == "synthetic"]
    try:
        measure(arguments, load_models(arguments.variant, weights=arguments.weights))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
