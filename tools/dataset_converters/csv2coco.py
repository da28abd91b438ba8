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
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keypoint_tables import KeypointTable, TablePoint, read_table

from efficientpose.core.images import read_image
from efficientpose.datasets.annotation_files import COCO_CATEGORY_ID, make_category, write_coco


@dataclass(frozen=True, kw_only=True)
class CocoSettings:
    """How a table becomes annotations."""

    keypoint_names: tuple[str, ...] = ()  # their order; empty for the table's own
    limbs: tuple[tuple[str, str], ...] | None = None  # None for MPII's limbs between the table's keypoints
    origin: float = 0.0  # coordinate of the first pixel's centre: 0, or 1 as in MATLAB, or 0.5 where 0 is its corner
    box_margin: float = 0.1  # on every side of the box around a person's keypoints, per its longer side

    def __post_init__(self) -> None:
        if not (math.isfinite(self.origin) and 0 <= self.box_margin < math.inf):
            given = f"{self.origin} and {self.box_margin}"
            raise ValueError(f"the origin is a number and the box margin 0 or more, got {given}")


def split_images(images: Sequence[str], *, val_share: float, seed: int, by_folder: bool) -> tuple[list[str], list[str]]:
    """Split images' names, in their order, into those to train on and those to validate on, one at least if any.

    With ``by_folder``, images of one folder, such as frames of one video, stay together.
    """
    if not 0 <= val_share < 1:
        raise ValueError(f"the share to validate on must be at least 0 and below 1, got {val_share}")
    group_of = {image: str(Path(image).parent) if by_folder else image for image in images}
    groups = sorted(set(group_of.values()))
    num_val = 0 if val_share == 0 else max(1, round(val_share * len(groups)))
    if num_val >= len(groups) and num_val:
        kind = "folder of images" if by_folder else "image"
        raise ValueError(f"there is {len(groups)} {kind}, too few to split: use a share of 0")
    chosen = {groups[index] for index in np.random.default_rng(seed).permutation(len(groups))[:num_val]}
    train = [image for image in images if group_of[image] not in chosen]
    return train, [image for image in images if group_of[image] in chosen]


def make_coco(table: KeypointTable, images: Sequence[str], folder: Path, settings: CocoSettings) -> dict[str, Any]:
    """Return the content of an annotation file for some images of a table, which lie in ``folder``."""
    names = settings.keypoint_names or table.keypoint_names
    if unknown := [name for name in table.keypoint_names if name not in names]:
        raise ValueError(f"unknown keypoint {', '.join(unknown)}: expected {', '.join(names)}")
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        path = find_image(folder, image)
        height, width = read_image(path).shape[:2]
        file_name = path.relative_to(folder).as_posix()
        entries.append(dict(id=number, file_name=file_name, width=width, height=height))
        for person in table.images[image].values():
            if person:
                ids = dict(id=len(annotations) + 1, image_id=number, category_id=COCO_CATEGORY_ID, iscrowd=0)
                annotations.append(ids | _annotate(person, names, settings, image_size=(width, height)))
    info = dict(description="keypoints as 0-based pixel-centre indices")
    categories = [make_category(names, settings.limbs)]
    return dict(info=info, licenses=[], images=entries, categories=categories, annotations=annotations)


def _annotate(
    person: dict[str, TablePoint], names: Sequence[str], settings: CocoSettings, *, image_size: tuple[int, int]
) -> dict[str, Any]:
    points = {name: (point.x - settings.origin, point.y - settings.origin) for name, point in person.items()}
    corners = np.array(list(points.values()))  # (N, 2)
    margin = max(settings.box_margin * float(np.ptp(corners, axis=0).max()), 1.0)
    low = np.clip(corners.min(axis=0) - margin, 0, np.array(image_size) - 1)
    high = np.clip(corners.max(axis=0) + margin, 0, np.array(image_size) - 1)
    keypoints: list[float] = []
    for name in names:
        keypoints += (*points[name], person[name].visible) if name in person else (0, 0, 0)
    width, height = (high - low).tolist()
    bbox = [*low.tolist(), width, height]
    return dict(keypoints=keypoints, num_keypoints=len(person), bbox=bbox, area=width * height)


def find_image(folder: Path, image: str) -> Path:
    """Return an image's file in a folder; the path in the table may have more folders in front."""
    parts = [part for part in image.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." not in parts:
        for start in range(len(parts)):
            path = folder.joinpath(*parts[start:])
            if path.is_file():
                return path
    other = f", nor {folder / parts[-1]}" if len(parts) > 1 else ""
    raise FileNotFoundError(f"{folder / image}: no such image{other}")


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
    parser.add_argument("--seed", type=int, default=0, help="of the random split (default: %(default)s)")
    split = "folder keeps the frames of one video together (default: %(default)s)"
    parser.add_argument("--split-by", choices=("image", "folder"), default="image", help=split)
    parser.add_argument("--keypoints", nargs="+", metavar="NAME", help="their order (default: as in the table)")
    limbs = "default: MPII's, of the keypoints it has"
    parser.add_argument("--limbs", nargs="+", type=parse_limb, metavar="NAME:NAME", help=limbs)
    origin = "coordinate of the first pixel's centre: 1 as in MATLAB, 0.5 if 0 is its corner (default: 0)"
    parser.add_argument("--origin", type=float, default=0.0, help=origin)
    parser.add_argument("--box-margin", type=float, default=0.1, help="added to boxes, per longer side (default: 0.1)")
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
        split = dict(val_share=arguments.val_share, seed=arguments.seed, by_folder=arguments.split_by == "folder")
        parts = split_images(list(table.images), **split)
        contents = [make_coco(table, images, arguments.images, settings) for images in parts]
        for name, images, content in zip(("train", "val"), parts, contents, strict=True):
            path = arguments.out_folder / "annotations" / f"{name}.json"
            if not images:  # with a share of 0
                path.unlink(missing_ok=True)  # an earlier one's images are in the other part now
                continue
            write_coco(path, content)
            num_people, num_listed = len(content["annotations"]), sum(len(table.images[image]) for image in images)
            print(f"{name}.json: {num_people} people in {len(images)} images")
            if num_listed > num_people:
                print(f"left out: {num_listed - num_people} people without a labelled keypoint")
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
