"""Draw a synthetic MPII: posed people with exact keypoints, in MPII's layout.

Example:
    python tools/make_synthetic_mpii.py --out data/synthetic_mpii --train 4000 --val 500 --seed 0 --workers 2
"""

import argparse
import sys

from synthetic_people.generate import add_drawing_arguments, generate, run_drawing_tool


def main() -> int:
    """Draw the dataset; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw a synthetic MPII: posed people with exact keypoints.")
    add_drawing_arguments(parser, num_train=4000, num_val=500, images="images")
    return run_drawing_tool(parser.parse_args(), generate, images="images")


if __name__ == "__main__":
    sys.exit(main())
