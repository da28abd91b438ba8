"""Draw scenes of several synthetic people with exact keypoints, in COCO's format with MPII's 16 keypoints.

Example:
    python tools/make_synthetic_crowd.py --out data/synthetic_crowd --train 1500 --val 150 --seed 0 --workers 2
"""

import argparse
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from efficientpose.datasets.synthetic.crowds import generate_crowds
from efficientpose.datasets.synthetic.generate import Plan


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Draw scenes of several synthetic people with exact keypoints.")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--train", type=int, default=1500, help="scenes for training (default: %(default)s)")
    parser.add_argument("--val", type=int, default=150, help="scenes for validation (default: %(default)s)")
    parser.add_argument("--people", type=int, default=6, help="in a scene, at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier synthetic scenes")
    return parser.parse_args()


def main() -> int:
    """Draw the data set; return the exit status."""
    arguments = parse_arguments()
    try:
        plan = Plan(
            num_train=arguments.train, num_val=arguments.val, seed=arguments.seed, num_workers=arguments.workers
        )
        with Progress("drawing", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("drawing", total=plan.num_train + plan.num_val)
            generate_crowds(
                plan,
                arguments.out,
                max_people=arguments.people,
                overwrite=arguments.overwrite,
                on_image=lambda: progress.advance(task),
            )
    except (ValueError, OSError, BrokenProcessPool) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted: {arguments.out} is as it was", file=sys.stderr)
        return 130
    print(f"{plan.num_train} training and {plan.num_val} validation scenes in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
