"""List suspicious annotations of a dataset, and draw some of its people.

Examples:
    python tools/check_dataset.py data/mine/annotations/train.json --images data/mine/images --sheet people.png
    python tools/check_dataset.py data/lspet/annotations/lspet_train.json --images data/lspet/images --read-images \
        --report findings.csv --sheet suspicious.png --draw suspicious

It reads COCO's layout and MPII's (as tools/make_synthetic_mpii.py and lsp2mpii.py write it): sides that are probably
exchanged, keypoints outside the image or box or on one spot, limbs of impossible length, people annotated twice,
missing images, flags, numbers and categories; with --read-images, broken image files too. The exit status is 0 if
nothing was found, 1 if something was, 2 if the files cannot be read.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import cv2

from dataset_checker.annotations import Finding, LabelledDataset
from dataset_checker.check import check_dataset, read_dataset, write_findings
from dataset_checker.contact_sheet import choose_people, draw_sheet
from efficientpose.commands.console import progress
from efficientpose.core.files import replacing

FOUND, UNREADABLE = 1, 2
NUM_SHOWN = 3


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, help="annotation file (.json)")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="folder of the images")
    parser.add_argument("--read-images", action="store_true", help="read every image: slower, finds more")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write all findings to a .csv or .json file")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw people to this file; needs --images")
    draw = "which people (default: %(default)s)"
    parser.add_argument("--draw", choices=("any", "suspicious"), default="any", help=draw)
    parser.add_argument("--people", type=int, default=36, help="how many to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same people (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.images is None and (arguments.read_images or arguments.sheet):
        parser.error("--read-images and --sheet need --images FOLDER")
    return arguments


def write_sheet(arguments: argparse.Namespace, dataset: LabelledDataset, findings: list[Finding]) -> None:
    """Draw people to a file."""
    settings = dict(num_people=arguments.people, seed=arguments.seed, only_suspicious=arguments.draw == "suspicious")
    people = choose_people(dataset, findings, **settings)
    encoded = cv2.imencode(".png", draw_sheet(dataset, people, arguments.images, findings))[1]
    with replacing(arguments.sheet) as partial:
        partial.write_bytes(encoded.tobytes())


def print_findings(dataset: LabelledDataset, findings: list[Finding]) -> None:
    """Print how many there are of each kind, and the first of them."""
    print(f"{dataset.path}: {len(dataset.people)} people in {len(dataset.image_sizes)} images")
    for (severity, reason), count in Counter((each.severity, each.reason) for each in findings).items():
        print(f"{severity.value}: {reason}, {count}")
        for finding in [each for each in findings if each.reason == reason and each.severity is severity][:NUM_SHOWN]:
            whose = "" if finding.annotation is None else f" annotation {finding.annotation}"
            print(f"    {finding.image}{whose}: {finding.detail}")
    if not findings:
        print("nothing suspicious")


def main() -> int:
    """Check, report and draw; return the exit status."""
    arguments = parse_arguments()
    try:
        dataset = read_dataset(arguments.annotations)
        images, read_images = arguments.images, arguments.read_images
        with progress("reading images", len(dataset.image_sizes) if read_images else 0) as advance:
            findings = check_dataset(dataset, images=images, read_images=read_images, advance=advance)
        print_findings(dataset, findings)
        if arguments.report:
            write_findings(arguments.report, findings)
        if arguments.sheet:
            write_sheet(arguments, dataset, findings)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNREADABLE
    return FOUND if findings else 0


if __name__ == "__main__":
    sys.exit(main())
