"""Convert MPII's release to annotation files.

python tools/dataset_converters/mpii_mat2json.py mpii_human_pose_v1_u12_1.mat data/mpii/annotations

It writes mpii_trainval.json, mpii_test.json, and a random split of the former: mpii_random_train.json,
mpii_random_val.json and, for PCKh, mpii_random_gt_val.mat. (MMPose's mat2json.py turns predictions into annotations.)
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from efficientpose.core.skeleton import NUM_KEYPOINTS
from efficientpose.datasets.annotation_files import MPII_MISSING, MpiiPerson, write_headboxes, write_mpii

_LISTS = ("annolist", "img_train", "single_person")


@dataclass(frozen=True, kw_only=True)
class ReleasePerson(MpiiPerson):
    """One person of MPII's release."""

    image_index: int  # of the image in the release, from 0
    person_index: int  # of the person among that image's, from 0
    is_train: bool  # whether the image is of the training set
    is_single: bool  # whether the person stands apart from others; the test server scores these

    @property
    def entry(self) -> dict[str, Any]:
        """The person as an entry of an annotation file; people of the test set have no joints."""
        entry = super().entry | {"image_index": self.image_index, "person_index": self.person_index}
        return {key: value for key, value in entry.items() if self.is_train or not key.startswith("joints")}


class Split(NamedTuple):
    """People to train on and people to validate on."""

    train: list[ReleasePerson]
    val: list[ReleasePerson]


def read_release(release_file: Path) -> list[ReleasePerson]:
    """Read the people that have a centre and a scale, in the order of the release."""
    release = _load_release(release_file)
    lists = {name: _as_list(release[name]) for name in _LISTS}
    counts = {name: len(entries) for name, entries in lists.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{release_file}: these lists should have equal lengths, got {counts}")
    people: list[ReleasePerson] = []
    for image_index, (image, is_train, single) in enumerate(zip(*lists.values(), strict=True)):
        try:
            people += _read_image(image, image_index=image_index, is_train=bool(is_train), single=single)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            entry, reason = f"entry {image_index} of annolist", f"{type(error).__name__}: {error}"
            raise ValueError(f"{release_file}: {entry} is not as in MPII's release ({reason})") from error
    return people


def _load_release(release_file: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    if not release_file.is_file():
        raise FileNotFoundError(f"{release_file}: no such file; expected MPII's mpii_human_pose_v1_u12_1.mat")
    try:
        contents = loadmat(release_file, simplify_cells=True)
    except Exception as error:  # SciPy raises many kinds of error on a truncated file
        raise ValueError(f"{release_file} is not a MATLAB file that can be read: {error}") from error
    release = contents.get("RELEASE")
    if not isinstance(release, dict):
        raise ValueError(f"{release_file} holds no RELEASE; expected MPII's mpii_human_pose_v1_u12_1.mat")
    missing = [name for name in _LISTS if name not in release]
    if missing:
        raise ValueError(f"{release_file}: RELEASE lacks {', '.join(missing)}, which MPII's has")
    return release


def select_training(people: Sequence[ReleasePerson]) -> list[ReleasePerson]:
    """Return the people of training images who have a labelled joint: about 29,000 in MPII."""
    return [person for person in people if person.is_train and person.labelled.any()]


def select_test(people: Sequence[ReleasePerson]) -> list[ReleasePerson]:
    """Return the people that the test server's single-person evaluation scores."""
    return [person for person in people if not person.is_train and person.is_single]


def split_at_random(people: Sequence[ReleasePerson], *, num_val: int = 3000, seed: int = 0) -> Split:
    """Split at random as Groos et al. did (26,000 / 3,000), with no image on both sides.

    The paper gives neither its seed nor its list, so scores on this split compare with the paper's only on average.
    Images are drawn until the validation set has at least ``num_val`` people.
    """
    if not 0 < num_val < len(people):
        raise ValueError(f"num_val {num_val}: must be more than 0 and less than the {len(people)} people there are")
    by_image: dict[int, list[ReleasePerson]] = {}
    for person in people:
        by_image.setdefault(person.image_index, []).append(person)
    drawn: set[int] = set()
    num_drawn = 0
    for image_index in np.random.default_rng(seed).permutation(list(by_image)):
        if num_drawn >= num_val:
            break
        drawn.add(int(image_index))
        num_drawn += len(by_image[int(image_index)])
    val = [person for person in people if person.image_index in drawn]
    return Split([person for person in people if person.image_index not in drawn], val)


def _read_image(image: dict[str, Any], *, image_index: int, is_train: bool, single: Any) -> list[ReleasePerson]:
    """Return the people of an entry of ``annolist``; ``single`` are the numbers, from 1, of those that stand alone."""
    single_numbers = np.atleast_1d(single)
    place: dict[str, Any] = dict(image=image["image"]["name"], image_index=image_index, is_train=is_train)
    people = []
    for index, rectangle in enumerate(_as_list(image["annorect"])):
        is_single = index + 1 in single_numbers
        people.append(_read_person(rectangle, person_index=index, is_single=is_single, **place))
    return [person for person in people if person is not None]


def _read_person(rectangle: dict[str, Any], **place: Any) -> ReleasePerson | None:
    """Return the person of an ``annorect``; None where its centre or scale is absent."""
    position = rectangle.get("objpos")
    scale = np.atleast_1d(rectangle.get("scale", []))
    if not isinstance(position, dict) or scale.size != 1:
        return None
    joints = np.tile(np.array(MPII_MISSING), (NUM_KEYPOINTS, 1))
    labelled = np.zeros(NUM_KEYPOINTS, dtype=bool)
    points = rectangle.get("annopoints")
    for point in _as_list(points["point"]) if isinstance(points, dict) else []:
        joints[int(point["id"])] = float(point["x"]), float(point["y"])
        labelled[int(point["id"])] = True
    corners = [np.atleast_1d(rectangle.get(name, [])) for name in ("x1", "y1", "x2", "y2")]
    x1, y1, x2, y2 = (float(corner[0]) if corner.size else np.nan for corner in corners)
    return ReleasePerson(
        **place,
        centre=(float(position["x"]), float(position["y"])),
        scale=float(scale[0]),
        joints=joints,
        labelled=labelled,
        headbox=None if np.isnan([x1, y1, x2, y2]).any() else (x1, y1, x2, y2),
    )


def _as_list(value: Any) -> list[Any]:
    """Return the elements of a MATLAB array of structures or cells; SciPy gives a single one without its array."""
    return [value] if isinstance(value, dict) or np.isscalar(value) else list(value)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release_file", type=Path, help="mpii_human_pose_v1_u12_1.mat")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--num-val", type=int, default=3000, help="people to validate on (the paper's 3,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random split")
    return parser.parse_args()


def convert(release_file: Path, out_dir: Path, *, num_val: int, seed: int) -> dict[str, int]:
    """Convert; return how many people went where."""
    people = read_release(release_file)
    training = select_training(people)
    split = split_at_random(training, num_val=num_val, seed=seed)
    write_headboxes(out_dir / "mpii_random_gt_val.mat", split.val)  # first, since it may refuse the people
    parts = {"trainval": training, "test": select_test(people), "random_train": split.train, "random_val": split.val}
    for name, selected in parts.items():
        write_mpii(out_dir / f"mpii_{name}.json", selected)
    return {name: len(selected) for name, selected in parts.items()}


def main() -> None:
    """Convert, and say how many people went where."""
    args = parse_args()
    try:
        counts = convert(args.release_file, args.out_dir, num_val=args.num_val, seed=args.seed)
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    for name, count in counts.items():
        print(f"mpii_{name}.json: {count} people")


if __name__ == "__main__":
    main()
