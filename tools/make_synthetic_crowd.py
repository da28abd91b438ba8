"""Draw scenes of several synthetic people with exact keypoints, in COCO's format with MPII's 16 keypoints.

Example:
    python tools/make_synthetic_crowd.py --out data/synthetic_crowd --train 1500 --val 150 --seed 0 --workers 2
"""

import argparse
import sys

from synthetic_people.generate import add_drawing_arguments, generate_crowds, run_drawing_tool


def main() -> int:
    """Draw the scenes; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw scenes of several synthetic people with exact keypoints.")
    add_drawing_arguments(parser, num_train=1500, num_val=150, images="scenes")
    parser.add_argument("--people", type=int, default=6, help="in a scene, at most (default: %(default)s)")
    arguments = parser.parse_args()
    return run_drawing_tool(arguments, generate_crowds, images="scenes", max_people=arguments.people)


if __name__ == "__main__":
    sys.exit(main())
