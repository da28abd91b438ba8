"""Draw a synthetic MPII: posed people with exact keypoints, in MPII's layout.

Example:
    python tools/make_synthetic_mpii.py --out data/synthetic_mpii --train 4000 --val 500 --seed 0 --workers 2
"""

import argparse
import sys

from synthetic_people.command import add_drawing_arguments, draw_dataset
from synthetic_people.generate import generate


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Draw a synthetic MPII: posed people with exact keypoints.")
    add_drawing_arguments(parser, num_train=4000, num_val=500, pictures="pictures", earlier="an earlier synthetic MPII")
    return parser.parse_args()


def main() -> int:
    """Draw the data set; return the exit status."""
    arguments = parse_arguments()
    return draw_dataset(
        arguments,
        lambda plan, on_image: generate(plan, arguments.out, overwrite=arguments.overwrite, on_image=on_image),
        pictures="pictures",
    )


if __name__ == "__main__":
    sys.exit(main())
