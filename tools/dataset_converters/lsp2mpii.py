"""Convert Leeds Sports Pose, or its extended training set, to annotation files in MPII's layout, or COCO's.

python tools/dataset_converters/lsp2mpii.py lspet_dataset data/lspet

The source folder holds joints.mat and images/, as the archives have them. The other folder gets annotations/, with
lspet_train.json, lspet_val.json (the images whose number ends in 4) and, for PCKh, lspet_gt_val.mat, and images, a
symbolic link to the source's. For LSP the names begin with lsp.

python tools/dataset_converters/lsp2mpii.py lspet_dataset data/lspet --format coco --first 200

writes LSP's own 14 keypoints: lspet14_train_200.json, of the first 200 images for training, and lspet14_val.json.
"""

import argparse
import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from lsp import LSP_INDICES, LSP_NAMES, REGION_PER_BOX, VAL_FOLD, Collection, LspPerson, read_collection, split_people

from efficientpose.core.crops import PERSON_PADDING
from efficientpose.core.files import replacing
from efficientpose.datasets import annotation_files
from efficientpose.datasets.annotation_files import COCO_CATEGORY_ID, make_category

# A tree over LSP's keypoints: MPII's limbs, except those of the thorax, which LSP lacks
LSP_LIMBS: Final = (
    *(("right_knee", "right_ankle"), ("right_hip", "right_knee"), ("right_shoulder", "right_hip")),
    *(("left_shoulder", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")),
    *(("right_elbow", "right_wrist"), ("right_shoulder", "right_elbow"), ("upper_neck", "right_shoulder")),
    *(("upper_neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
    ("head_top", "upper_neck"),
)
MIN_ASPECT: Final = 0.1  # least shorter side of a box per longer side: keypoints in a line would give an empty box


class Summary(NamedTuple):
    """What a conversion wrote, as numbers of people, and the prefix of the files."""

    name: str
    num_train: int
    num_val: int
    num_absent: int
    num_boxless: int


class CocoSummary(NamedTuple):
    """What was written: the training file, and numbers of people."""

    training_file: Path
    num_train: int
    num_val: int


def convert(
    source: Path, out: Path, *, name: str | None = None, skip_absent: bool = False, copy_images: bool = False
) -> Summary:
    """Write ``out/annotations/{name}_train.json``, ``_val.json`` and ``_gt_val.mat``, and provide ``out/images``.

    Entries whose image is absent are an error, or left out with ``skip_absent``. ``out`` may be ``source``; its images
    are a symbolic link, or copies with ``copy_images``. ``name``, the files' prefix, is lsp or lspet by default.
    """
    collection = read_collection(source, skip_absent=skip_absent)
    name = name or collection.layout.value
    if Path(name).name != name:
        raise ValueError(f"name {name!r}: expected the beginning of a file name, without a folder")
    train, val = _split(source, collection)
    provide_images(source / "images", out / "images", [person.image for person in collection.people], copy=copy_images)
    annotations = out / "annotations"
    annotation_files.write_mpii(annotations / f"{name}_train.json", train)
    annotation_files.write_mpii(annotations / f"{name}_val.json", val)
    annotation_files.write_headboxes(annotations / f"{name}_gt_val.mat", val)
    return Summary(name, len(train), len(val), collection.num_absent, collection.num_boxless)


def convert_to_coco(
    source: Path, out: Path, *, first: int | None = None, skip_absent: bool = False, copy_images: bool = False
) -> CocoSummary:
    """Write ``out/annotations/{name}14_train.json`` and ``_val.json``, and provide ``out/images``.

    People and crops are those of :func:`convert`, except at the images' borders, where MMPose clips boxes. Arguments
    and errors are, too; ``first`` keeps the first training images by number, None all.
    """
    collection = read_collection(source, skip_absent=skip_absent)
    train, val = _split(source, collection)
    if first is not None and not 0 < first <= len(train):
        raise ValueError(f"--first {first}: {source} has 1 to {len(train)} images for training")
    provide_images(source / "images", out / "images", [person.image for person in collection.people], copy=copy_images)
    name = f"{collection.layout.value}14"
    training_file = out / "annotations" / (f"{name}_train.json" if first is None else f"{name}_train_{first}.json")
    train = train[:first]
    _write_people(training_file, train, images=source / "images")
    _write_people(out / "annotations" / f"{name}_val.json", val, images=source / "images")
    return CocoSummary(training_file, len(train), len(val))


def _split(source: Path, collection: Collection) -> tuple[list[LspPerson], list[LspPerson]]:
    train, val = split_people(collection.people)
    for part, people in (("training", train), ("validation", val)):
        if not people:
            rule = f"images whose number ends in {VAL_FOLD + 1} are for validation and all others for training"
            raise ValueError(f"{source}: no person is left for {part}; {rule}")
    return train, val


def provide_images(source: Path, destination: Path, names: Sequence[str], *, copy: bool) -> None:
    """Make ``destination`` a symbolic link to ``source``, or a folder with copies of the images named.

    Nothing is done where both are the same folder, and an image that is there already is not copied again.
    """
    if destination.exists() and destination.resolve() == source.resolve():
        return
    if copy:
        _copy_images(source, destination, names)
        return
    if destination.exists() or destination.is_symlink():
        advice = "name another folder, or complete a copy with --copy-images"
        raise FileExistsError(f"{destination} is there and is not {source}: {advice}")
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        destination.symlink_to(source.resolve(), target_is_directory=True)
    except OSError as error:
        reason = f"no link can be made ({error.strerror}); use --copy-images"
        raise OSError(error.errno, reason, str(destination)) from error


def _copy_images(source: Path, destination: Path, names: Sequence[str]) -> None:
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise FileExistsError(f"{destination} is there and is not a folder to copy into: name another folder")
    present = {name for name in names if (destination / name).exists()}
    for name in sorted(present):
        if not filecmp.cmp(source / name, destination / name, shallow=False):
            raise FileExistsError(f"{destination / name} is there and differs from {source / name}: remove one of them")
    destination.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name not in present:
            with replacing(destination / name) as partial:
                shutil.copyfile(source / name, partial)


def _write_people(path: Path, people: Sequence[LspPerson], *, images: Path) -> None:
    """Write people, one an image, in COCO's format; the images' sizes are read from their folder."""
    content = {
        "images": [_image(person, images) for person in people],
        "annotations": [_annotation(person) for person in people],
        "categories": [make_category(LSP_NAMES, LSP_LIMBS)],
    }
    annotation_files.write_coco(path, content)


def _image(person: LspPerson, folder: Path) -> dict[str, Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(folder / person.image) as image:  # the header alone
            width, height = image.size
    except UnidentifiedImageError as error:
        raise ValueError(f"{folder / person.image} is not an image") from error
    return {"id": person.number, "file_name": person.image, "width": width, "height": height}


def _annotation(person: LspPerson) -> dict[str, Any]:
    """Return a person with a box that ``PersonCenterScale`` makes 1.4 times the one around the joints."""
    points = np.where(person.labelled[:, None], person.joints - 1, 0)[LSP_INDICES]
    flags = 2 * person.labelled[LSP_INDICES].astype(int)
    known = points[flags > 0]
    low, high = known.min(axis=0), known.max(axis=0)
    size = REGION_PER_BOX / PERSON_PADDING * np.maximum(high - low, MIN_ASPECT * (high - low).max())
    corner = (low + high - size) / 2
    keypoints = np.column_stack((points, flags))
    return {
        "id": person.number,
        "image_id": person.number,
        "category_id": COCO_CATEGORY_ID,
        "iscrowd": 0,
        "bbox": [round(float(value), 3) for value in (*corner, *size)],
        "area": round(float(size.prod()), 3),
        "num_keypoints": int(person.labelled[LSP_INDICES].sum()),
        "keypoints": [round(float(value), 3) for value in keypoints.ravel()],
    }


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source_folder", type=Path, help="folder with joints.mat and images/")
    parser.add_argument("out_folder", type=Path, help="folder to write; may be the source folder")
    parser.add_argument("--name", help="beginning of the file names (default: lsp or lspet, by the source)")
    parser.add_argument("--skip-absent", action="store_true", help="leave out entries whose image is absent")
    parser.add_argument("--copy-images", action="store_true", help="copy the images instead of linking to them")
    parser.add_argument("--format", choices=("mpii", "coco"), default="mpii", help="default: mpii, with 16 keypoints")
    parser.add_argument("--first", type=int, metavar="N", help="COCO: only the first N images for training")
    args = parser.parse_args()
    if args.first is not None and args.format != "coco":
        parser.error("--first goes with --format coco")
    if args.name is not None and args.format == "coco":
        parser.error("--name goes with --format mpii")
    return args


def main() -> None:
    """Convert, and say how many people went where."""
    args = parse_args()
    options = {"skip_absent": args.skip_absent, "copy_images": args.copy_images}
    try:
        if args.format == "coco":
            done = convert_to_coco(args.source_folder, args.out_folder, first=args.first, **options)
            print(f"{done.training_file}: {done.num_train} people; for validation: {done.num_val}")
            return
        summary = convert(args.source_folder, args.out_folder, name=args.name, **options)
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{summary.name}_train.json: {summary.num_train} people")
    print(f"{summary.name}_val.json: {summary.num_val} people")
    print(f"left out: {summary.num_absent} entries without their image")
    print(f"left out: {summary.num_boxless} people with fewer than two labelled keypoints at different places")


if __name__ == "__main__":
    main()
