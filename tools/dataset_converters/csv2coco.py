"""Convert a table of keypoints and a folder of images to COCO's annotation files, which MMPose reads.

Examples:
    python tools/dataset_converters/csv2coco.py keypoints.csv images data/mine
    python tools/dataset_converters/csv2coco.py CollectedData_Anna.csv dlc_project data/mine --split-by folder

The table is tidy (columns image, person, keypoint, x, y and perhaps visible: 0 not labelled, 1 hidden, 2 seen) or
DeepLabCut's labelled data. Empty coordinates mean not labelled. Coordinates are 0-based pixel-centre indices unless
--origin says otherwise; those written are. data/mine/annotations gets train.json and val.json; set the dataset's
data_prefix to the folder of images. Check the result: python tools/check_dataset.py data/mine/annotations/train.json
"""

import argparse
from pathlib import Path

from efficientpose.datasets.coco_files import CocoSettings, make_coco, split_images, summarise, write_coco
from efficientpose.datasets.keypoint_tables import read_table


def parse_limb(text: str) -> tuple[str, str]:
    """Read NAME:NAME."""
    first, colon, second = text.partition(":")
    if not (first and colon and second):
        raise argparse.ArgumentTypeError(f"{text!r}: expected two keypoints as NAME:NAME")
    return first, second


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="table of keypoints (.csv)")
    parser.add_argument("images", type=Path, help="folder of the images that the table names")
    parser.add_argument("out_folder", type=Path, help="folder to write annotations/train.json and val.json to")
    parser.add_argument("--val-share", type=float, default=0.1, help="share to validate on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the division (default: %(default)s)")
    parser.add_argument(
        "--split-by",
        choices=("image", "folder"),
        default="image",
        help="folder keeps the frames of one video together (default: %(default)s)",
    )
    parser.add_argument("--keypoints", nargs="+", metavar="NAME", help="their order (default: as in the table)")
    parser.add_argument(
        "--limbs", nargs="+", type=parse_limb, metavar="NAME:NAME", help="default: MPII's, of the keypoints it has"
    )
    parser.add_argument(
        "--origin",
        type=float,
        default=0.0,
        help="what the table calls the first pixel's centre: 1 as in MATLAB, 0.5 if 0 is its corner (default: 0)",
    )
    parser.add_argument(
        "--box-margin", type=float, default=0.1, help="added to boxes, per longer side (default: %(default)s)"
    )
    return parser.parse_args()


def main() -> None:
    """Convert, and say how many people went where."""
    arguments = parse_arguments()
    try:
        settings = CocoSettings(
            keypoint_names=tuple(arguments.keypoints or ()),
            limbs=None if arguments.limbs is None else tuple(arguments.limbs),
            origin=arguments.origin,
            box_margin=arguments.box_margin,
        )
        table = read_table(arguments.table)
        by_folder = arguments.split_by == "folder"
        parts = split_images(
            list(table.images), val_share=arguments.val_share, seed=arguments.seed, by_folder=by_folder
        )
        contents = [make_coco(table, images, arguments.images, settings) for images in parts]
        for name, images, content in zip(("train", "val"), parts, contents, strict=True):
            path = arguments.out_folder / "annotations" / f"{name}.json"
            if not images:  # with a share of 0
                path.unlink(missing_ok=True)  # an earlier one's images are in the other part now
                continue
            write_coco(path, content)
            summary = summarise(table, images)
            print(f"{name}.json: {summary.num_people} people in {summary.num_images} images")
            if summary.num_empty:
                print(f"left out: {summary.num_empty} people without a labelled keypoint")
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
