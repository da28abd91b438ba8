"""Count how often people's numbers change, on made-up clips of people who cross and hide one another.

Example:
    python tools/analysis/track_switches.py --clips 10 --people 2 4 8
"""

import argparse
import sys

import numpy as np
from crossing_clips import ClipPlan, count_switches, make_clip, number_by_nearest_box, number_by_tracking


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Count changes of people's numbers on made-up clips.")
    parser.add_argument("--clips", type=int, default=10, help="clips of each number of people (default: %(default)s)")
    parser.add_argument("--people", type=int, nargs="+", default=[2, 4, 8], help="in a clip (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a clip (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same clips (default: %(default)s)")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, num_people: int) -> dict[str, float]:
    """Return changes a minute by the way people were numbered."""
    switches = {"nearest box": 0, "nearest box, waits 2 s": 0, "tracking": 0}
    plan = ClipPlan(num_people=num_people, seconds=arguments.seconds)
    for index in range(arguments.clips):
        rng = np.random.default_rng((arguments.seed, num_people, index))
        clip = make_clip(rng, plan)
        for name, numbers in (
            ("nearest box", number_by_nearest_box(clip.frames)),
            ("nearest box, waits 2 s", number_by_nearest_box(clip.frames, max_gap_seconds=2.0)),
            ("tracking", number_by_tracking(clip.frames)),
        ):
            switches[name] += count_switches(clip.owners, numbers)
    minutes = arguments.clips * arguments.seconds / 60
    return {name: count / minutes for name, count in switches.items()}


def main() -> int:
    """Print the table; return the exit status."""
    arguments = parse_arguments()
    if arguments.clips < 1:
        print(f"error: clips must be 1 or more, got {arguments.clips}", file=sys.stderr)
        return 1
    try:
        for num_people in arguments.people:
            rates = ", ".join(f"{name} {rate:.1f}" for name, rate in measure(arguments, num_people).items())
            print(f"{num_people} people, changes of number a minute: {rates}", flush=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
