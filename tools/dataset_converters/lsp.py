"""Leeds Sports Pose and its extended training set (Johnson and Everingham, 2010 and 2011) as MPII annotations.

Both name 14 of MPII's 16 joints; thorax and pelvis stay unlabelled. Pixels are counted from 1, as in MPII, and stay so
in the files written. The third value of a joint means something different in the two:

- LSP Extended (LSPET): whether the joint is visible. Joints that are not carry meaningless numbers: unlabelled.
- LSP: whether it is occluded. Occluded joints are at their true positions all the same: all 14 are labelled.
"""

import filecmp
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from mpii_release import NOT_LABELLED, write_annotations, write_headboxes
from numpy.typing import NDArray

from efficientpose.core.files import replacing
from efficientpose.core.skeleton import KEYPOINT_NAMES, NUM_KEYPOINTS
from efficientpose.datasets.lsp_boxes import BoundingBox, enclose, frame_person, place_head_box


def provide_images(source: Path, destination: Path, names: Sequence[str], *, copy: bool) -> None:
    """Make ``destination`` a symbolic link to ``source``, or a folder with copies of the photographs named.

    Nothing is done where both are the same folder, and a photograph that is there already is not copied again.

    Raises:
        FileExistsError: If ``destination`` or a photograph in it is there and is something else.
        OSError: If the link cannot be made or a photograph not be copied.
    """
    if destination.exists() and destination.resolve() == source.resolve():
        return
    if copy:
        _copy_images(source, destination, names)
        return
    if destination.exists() or destination.is_symlink():
        raise FileExistsError(
            f"{destination} is there and is not {source}: name another folder, or complete a copy with --copy-images"
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        destination.symlink_to(source.resolve(), target_is_directory=True)
    except OSError as error:
        raise OSError(
            error.errno, f"no link can be made ({error.strerror}); use --copy-images", str(destination)
        ) from (error)


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


LSP_NAMES: Final = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "upper_neck",
    "head_top",
)
"""LSP's joints in its order, by our names."""

_KEYPOINT_INDICES: Final = [KEYPOINT_NAMES.index(name) for name in LSP_NAMES]
NUM_FOLDS: Final = 10
VAL_FOLD: Final = 3


class Layout(Enum):
    """Which of the two data sets; the value is the usual prefix of its files."""

    LSP = "lsp"
    LSPET = "lspet"

    def image_name(self, number: int) -> str:
        """Return the name under which photograph ``number`` was published: im0001.jpg, or im00001.jpg (LSPET)."""
        return f"im{number:04d}.jpg" if self is Layout.LSP else f"im{number:05d}.jpg"


@dataclass(frozen=True, kw_only=True)
class LspPerson:
    """One person; pixels counted from 1.

    Attributes:
        number: Of the photograph, from 1.
        image: File name.
        joints: (16, 2) in MMPose's MPII order, -1 where not labelled.
        labelled: (16,).
    """

    number: int
    image: str
    joints: NDArray[np.float64]
    labelled: NDArray[np.bool_]

    @property
    def box(self) -> BoundingBox:
        """The box around the labelled joints."""
        return enclose(self.joints[self.labelled])

    @property
    def headbox(self) -> tuple[float, float, float, float]:
        """Corners x1, y1, x2, y2 of the head box, see :func:`efficientpose.datasets.lsp_boxes.place_head_box`."""
        return place_head_box(self.joints, self.labelled)

    @property
    def annotation(self) -> dict[str, Any]:
        """The person as an entry of an annotation file."""
        frame = frame_person(self.box)
        return {
            "image": self.image,
            "center": list(frame.centre),
            "scale": frame.scale,
            "joints": self.joints.tolist(),
            "joints_vis": self.labelled.astype(int).tolist(),
        }


class Collection(NamedTuple):
    """What a folder of LSP or LSPET holds.

    Attributes:
        layout: Which of the two it is.
        people: Usable people, in the order of ``joints.mat``.
        num_absent: Entries passed over, because their photograph is absent.
        num_boxless: Entries passed over, because fewer than two distinct joints are labelled.
    """

    layout: Layout
    people: list[LspPerson]
    num_absent: int
    num_boxless: int


class Summary(NamedTuple):
    """What a conversion wrote, as numbers of people, and the prefix of the files."""

    name: str
    num_train: int
    num_val: int
    num_absent: int
    num_boxless: int


def read_collection(folder: Path, *, skip_absent: bool = False) -> Collection:
    """Read ``joints.mat`` and match its entries with the photographs in ``images/``.

    Args:
        folder: Holds both.
        skip_absent: Pass over entries whose photograph is absent.

    Raises:
        FileNotFoundError: If the joints, the photographs' folder, or a photograph is absent.
        ValueError: If they are not what they should be, or nobody is left.
    """
    layout, entries = _read_joints(folder / "joints.mat")
    images = _find_images(folder / "images", num_entries=len(entries))
    absent = [number for number in range(1, len(entries) + 1) if number not in images]
    if absent and not skip_absent:
        raise FileNotFoundError(
            f"{folder / 'images' / layout.image_name(absent[0])}: no such photograph ({len(absent)} of the "
            f"{len(entries)} that joints.mat tells of are absent); add them, or leave their people out with "
            "--skip-absent"
        )
    people = []
    for number, image in sorted(images.items()):
        person = _make_person(entries[number - 1], number=number, image=image, layout=layout)
        if len(np.unique(person.joints[person.labelled], axis=0)) >= 2:
            people.append(person)
    if not people:
        raise ValueError(f"{folder}: no photograph has a person with two labelled joints, expected at least one")
    return Collection(layout, people, len(absent), len(images) - len(people))


def is_validation(number: int) -> bool:
    """Whether photograph ``number``, counted from 1, is for validation: one in ten, always the same."""
    return (number - 1) % NUM_FOLDS == VAL_FOLD


def split_people(people: list[LspPerson]) -> tuple[list[LspPerson], list[LspPerson]]:
    """Return those to train on and those to validate on, each in order."""
    train = [person for person in people if not is_validation(person.number)]
    return train, [person for person in people if is_validation(person.number)]


def convert(
    source: Path, out: Path, *, name: str | None = None, skip_absent: bool = False, copy_images: bool = False
) -> Summary:
    """Write ``out/annotations/{name}_train.json``, ``_val.json`` and ``_gt_val.mat``, and provide ``out/images``.

    Args:
        source: Folder with ``joints.mat`` and ``images/``.
        out: Folder to write; may be ``source``.
        name: Prefix of the files; ``lsp`` or ``lspet`` by default.
        skip_absent: Pass over entries whose photograph is absent.
        copy_images: Copy the photographs instead of making ``out/images`` a symbolic link to them.

    Raises:
        FileExistsError: If ``out/images`` is there and is something else.
        FileNotFoundError: If a file is absent.
        OSError: If the files cannot be written.
        ValueError: If the source is not what it should be, or leaves a part without people.
    """
    collection = read_collection(source, skip_absent=skip_absent)
    name = name or collection.layout.value
    if Path(name).name != name:
        raise ValueError(f"name {name!r}: expected the beginning of a file name, without a folder")
    train, val = split_people(collection.people)
    for part, people in (("training", train), ("validation", val)):
        if not people:
            raise ValueError(
                f"{source}: nobody is left for {part}; photographs whose number ends in {VAL_FOLD + 1} are for "
                "validation and all others for training"
            )
    provide_images(source / "images", out / "images", [person.image for person in collection.people], copy=copy_images)
    annotations = out / "annotations"
    write_annotations(annotations / f"{name}_train.json", train)
    write_annotations(annotations / f"{name}_val.json", val)
    write_headboxes(annotations / f"{name}_gt_val.mat", val)
    return Summary(name, len(train), len(val), collection.num_absent, collection.num_boxless)


def _read_joints(path: Path) -> tuple[Layout, NDArray[np.float64]]:
    """Return the layout and the joints, (N, 14, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold LSP's joints.
    """
    from scipy.io import loadmat

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected the joints.mat of LSP or LSP Extended")
    try:
        contents = loadmat(path)
    except Exception as error:  # of half a file, SciPy raises whatever its parser stumbles over
        raise ValueError(f"{path} is not a MATLAB file that can be read: {error}") from error
    if "joints" not in contents:
        raise ValueError(f"{path} holds no 'joints'; expected the joints.mat of LSP or LSP Extended")
    joints = contents["joints"]
    shape = joints.shape
    num_joints = len(LSP_NAMES)
    if joints.dtype.kind in "uif" and len(shape) == 3 and shape[2] > 0:
        if shape[:2] == (num_joints, 3):
            return Layout.LSPET, joints.transpose(2, 0, 1).astype(float)
        if shape[:2] == (3, num_joints):
            return Layout.LSP, joints.transpose(2, 1, 0).astype(float)
    raise ValueError(
        f"{path}: joints are {joints.dtype} of shape {shape}, expected numbers of shape ({num_joints}, 3, N) for LSP "
        f"Extended or (3, {num_joints}, N) for LSP"
    )


def _find_images(folder: Path, *, num_entries: int) -> dict[int, str]:
    """Return the photographs by number, whatever the number of its digits."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected the photographs im00001.jpg and on")
    images: dict[int, str] = {}
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(r"im(\d+)\.jpg", path.name)
        if match is None:
            continue
        number = int(match[1])
        if number in images:
            raise ValueError(
                f"{folder}: {images[number]} and {path.name} have one number, expected one photograph each"
            )
        if not 1 <= number <= num_entries:
            raise ValueError(
                f"{folder / path.name}: joints.mat has {num_entries} entries, expected photographs numbered from 1 to "
                f"{num_entries}; are these the photographs of another data set?"
            )
        images[number] = path.name
    return images


def _make_person(entry: NDArray[np.float64], *, number: int, image: str, layout: Layout) -> LspPerson:
    """Return the person of an entry (14, 3): x, y, and visible (LSPET) or occluded (LSP).

    Raises:
        ValueError: If the entry holds something that cannot be.
    """
    flags = entry[:, 2]
    if layout is Layout.LSPET and not np.isin(flags, [0, 1]).all():
        raise ValueError(f"joints.mat: entry {number} ({image}) has visibilities {flags.tolist()}, expected 0 or 1")
    known = flags == 1 if layout is Layout.LSPET else np.ones(len(LSP_NAMES), dtype=bool)
    broken = np.flatnonzero(known & ~np.isfinite(entry[:, :2]).all(axis=1))
    if len(broken):
        raise ValueError(
            f"joints.mat: entry {number} ({image}) has {LSP_NAMES[broken[0]]} at {entry[broken[0], :2].tolist()}, "
            "expected finite coordinates of a labelled joint"
        )
    joints = np.tile(np.array(NOT_LABELLED), (NUM_KEYPOINTS, 1))
    labelled = np.zeros(NUM_KEYPOINTS, dtype=bool)
    labelled[_KEYPOINT_INDICES] = known
    joints[_KEYPOINT_INDICES] = np.where(known[:, None], entry[:, :2], NOT_LABELLED)
    return LspPerson(number=number, image=image, joints=joints, labelled=labelled)
