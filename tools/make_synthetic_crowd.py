"""Draw scenes of several synthetic people with exact keypoints, in COCO's format with MPII's 16 keypoints.

Example:
    python tools/make_synthetic_crowd.py --out data/synthetic_crowd --train 1500 --val 150 --seed 0 --workers 2
"""

import argparse
import sys

from synthetic_people.command import add_drawing_arguments, draw_dataset
from synthetic_people.crowds import generate_crowds


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Draw scenes of several synthetic people with exact keypoints.")
    add_drawing_arguments(parser, num_train=1500, num_val=150, pictures="scenes", earlier="earlier synthetic scenes")
    parser.add_argument("--people", type=int, default=6, help="in a scene, at most (default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    """Draw the scenes; return the exit status."""
    arguments = parse_arguments()
    return draw_dataset(
        arguments,
        lambda plan, on_image: generate_crowds(
            plan, arguments.out, max_people=arguments.people, overwrite=arguments.overwrite, on_image=on_image
        ),
        pictures="scenes",
    )


if __name__ == "__main__":
    sys.exit(main())
