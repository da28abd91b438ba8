"""Convert Leeds Sports Pose, or its extended training set, to annotation files in MPII's layout, or COCO's.

python tools/dataset_converters/lsp2mpii.py lspet_dataset data/lspet

The source folder holds joints.mat and images/, as the archives have them. The other folder gets annotations/, with
lspet_train.json, lspet_val.json (the photographs whose number ends in 4) and, for PCKh, lspet_gt_val.mat, and images,
a symbolic link to the source's. For LSP the names begin with lsp.

python tools/dataset_converters/lsp2mpii.py lspet_dataset data/lspet --format coco --first 200

writes LSP's own 14 keypoints: lspet14_train_200.json, of the first 200 photographs for training, and lspet14_val.json.
"""

import argparse
from pathlib import Path

from lsp import convert
from lsp_coco import convert_to_coco


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source_folder", type=Path, help="folder with joints.mat and images/")
    parser.add_argument("out_folder", type=Path, help="folder to write; may be the source folder")
    parser.add_argument("--name", help="beginning of the file names (default: lsp or lspet, by the source)")
    parser.add_argument("--skip-absent", action="store_true", help="leave out entries whose photograph is absent")
    parser.add_argument("--copy-images", action="store_true", help="copy the photographs instead of linking to them")
    parser.add_argument("--format", choices=("mpii", "coco"), default="mpii", help="default: mpii, with 16 keypoints")
    parser.add_argument("--first", type=int, metavar="N", help="COCO: the first N photographs for training alone")
    args = parser.parse_args()
    if args.first is not None and args.format != "coco":
        parser.error("--first goes with --format coco")
    if args.name is not None and args.format == "coco":
        parser.error("--name goes with --format mpii")
    return args


def main() -> None:
    """Convert, and say how many people went where."""
    args = parse_args()
    if args.format == "coco":
        _convert_to_coco(args)
        return
    try:
        summary = convert(
            args.source_folder,
            args.out_folder,
            name=args.name,
            skip_absent=args.skip_absent,
            copy_images=args.copy_images,
        )
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{summary.name}_train.json: {summary.num_train} people")
    print(f"{summary.name}_val.json: {summary.num_val} people")
    print(f"left out: {summary.num_absent} entries without their photograph")
    print(f"left out: {summary.num_boxless} people with fewer than two labelled joints apart from each other")


def _convert_to_coco(args: argparse.Namespace) -> None:
    try:
        summary = convert_to_coco(
            args.source_folder,
            args.out_folder,
            first=args.first,
            skip_absent=args.skip_absent,
            copy_images=args.copy_images,
        )
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{summary.training_file}: {summary.num_train} people; for validation: {summary.num_val}")


if __name__ == "__main__":
    main()
