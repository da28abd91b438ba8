"""Turn MPII's release (``mpii_human_pose_v1_u12_1.mat``) into the annotation files MMPose reads.

MMPose has no such converter: its ``mat2json.py`` turns predictions into annotations. What is written stays 1-based, as
all MPII annotation files are; :class:`efficientpose.datasets.mpii.ExactMpiiDataset` makes it 0-based.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.files import replacing
from efficientpose.core.skeleton import NUM_KEYPOINTS

NOT_LABELLED = (-1.0, -1.0)

_LISTS = ("annolist", "img_train", "single_person")


class AnnotatedPerson(Protocol):
    """What the files tell of a person; pixels counted from 1."""

    @property
    def image(self) -> str:
        """File name."""

    @property
    def joints(self) -> NDArray[np.float64]:
        """(16, 2) in MMPose's MPII order."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(16,)."""

    @property
    def headbox(self) -> tuple[float, float, float, float] | None:
        """Corners x1, y1, x2, y2; None where there is no head box."""

    @property
    def annotation(self) -> dict[str, Any]:
        """The person as an entry of an annotation file."""


@dataclass(frozen=True, kw_only=True)
class ReleasePerson:
    """One person of MPII's release; pixels counted from 1.

    Attributes:
        image: File name.
        image_index: Index of the image in the release, from 0.
        person_index: Index of the person among that image's, from 0.
        centre: x, y of the person.
        scale: Height of the person over 200 px.
        is_train: Whether the image is of the training set.
        is_single: Whether the person stands apart from others; the test server scores these.
        joints: (16, 2) in MMPose's MPII order, -1 where not labelled.
        labelled: (16,).
        headbox: x1, y1, x2, y2; None where there is none.
    """

    image: str
    image_index: int
    person_index: int
    centre: tuple[float, float]
    scale: float
    is_train: bool
    is_single: bool
    joints: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    headbox: tuple[float, float, float, float] | None

    @property
    def annotation(self) -> dict[str, Any]:
        """The person as an entry of an annotation file; people of the test set have no joints."""
        entry: dict[str, Any] = {
            "image": self.image,
            "center": list(self.centre),
            "scale": self.scale,
            "image_index": self.image_index,
            "person_index": self.person_index,
        }
        if self.is_train:
            entry |= {"joints": self.joints.tolist(), "joints_vis": self.labelled.astype(int).tolist()}
        return entry


class Split(NamedTuple):
    """People to train on and people to validate on."""

    train: list[ReleasePerson]
    val: list[ReleasePerson]


def read_release(release_file: Path) -> list[ReleasePerson]:
    """Read the people that have a centre and a scale, in the order of the release.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not MPII's release.
    """
    release = _load_release(release_file)
    lists = {name: _as_list(release[name]) for name in _LISTS}
    counts = {name: len(entries) for name, entries in lists.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{release_file}: of these lists there should be as many entries of each, got {counts}")
    people: list[ReleasePerson] = []
    for image_index, (image, is_train, single) in enumerate(zip(*lists.values(), strict=True)):
        try:
            people += _read_image(image, image_index=image_index, is_train=bool(is_train), single=single)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{release_file}: entry {image_index} of annolist is not as in MPII's release "
                f"({type(error).__name__}: {error})"
            ) from error
    return people


def _load_release(release_file: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    if not release_file.is_file():
        raise FileNotFoundError(f"{release_file}: no such file; expected MPII's mpii_human_pose_v1_u12_1.mat")
    try:
        contents = loadmat(release_file, simplify_cells=True)
    except Exception as error:  # of half a file, SciPy raises whatever its parser stumbles over
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
    """Return the people whom the test server's single-person evaluation scores."""
    return [person for person in people if not person.is_train and person.is_single]


def split_at_random(people: Sequence[ReleasePerson], *, num_val: int = 3000, seed: int = 0) -> Split:
    """Split at random as Groos et al. did (26,000 / 3,000), with no image on both sides.

    The paper gives neither its seed nor its list, so scores on this split compare with the paper's only on average.

    Args:
        people: All with joints.
        num_val: Images are drawn until at least so many people are in the validation set.
        seed: Of the draw.

    Raises:
        ValueError: If there are not more people than ``num_val``.
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
    return Split(
        train=[person for person in people if person.image_index not in drawn],
        val=[person for person in people if person.image_index in drawn],
    )


def write_annotations(path: Path, people: Sequence[AnnotatedPerson]) -> None:
    """Write an annotation file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps([person.annotation for person in people]), encoding="utf-8")


def write_headboxes(path: Path, people: Sequence[AnnotatedPerson]) -> None:
    """Write the truth for PCKh in the layout of MMPose's ``mpii_gt_val.mat``, people in the order of the annotations.

    Raises:
        ValueError: If a person has no head box.
    """
    from scipy.io import savemat

    boxes = []
    for i, person in enumerate(people):
        if person.headbox is None:
            raise ValueError(f"person {i} ({person.image}) has no head box, which PCKh needs")
        boxes.append(person.headbox)
    path.parent.mkdir(parents=True, exist_ok=True)
    joints = np.stack([person.joints for person in people])
    missing = np.stack([~person.labelled for person in people])
    contents = {
        "headboxes_src": np.array(boxes).reshape(-1, 2, 2).transpose(1, 2, 0),
        "pos_gt_src": joints.transpose(1, 2, 0),
        "jnt_missing": missing.T.astype(np.uint8),
    }
    with replacing(path) as partial:
        savemat(partial, contents, appendmat=False)


def _read_image(image: dict[str, Any], *, image_index: int, is_train: bool, single: Any) -> list[ReleasePerson]:
    """Return the people of an entry of ``annolist``; ``single`` are the numbers, from 1, of those who stand alone."""
    single_numbers = np.atleast_1d(single)
    people = [
        _read_person(
            rectangle,
            image=image["image"]["name"],
            image_index=image_index,
            person_index=person_index,
            is_train=is_train,
            is_single=person_index + 1 in single_numbers,
        )
        for person_index, rectangle in enumerate(_as_list(image["annorect"]))
    ]
    return [person for person in people if person is not None]


def _read_person(
    rectangle: dict[str, Any], *, image: str, image_index: int, person_index: int, is_train: bool, is_single: bool
) -> ReleasePerson | None:
    """Return the person of an ``annorect``; None where its centre or scale is absent."""
    position = rectangle.get("objpos")
    scale = np.atleast_1d(rectangle.get("scale", []))
    if not isinstance(position, dict) or scale.size != 1:
        return None
    joints = np.tile(np.array(NOT_LABELLED), (NUM_KEYPOINTS, 1))
    labelled = np.zeros(NUM_KEYPOINTS, dtype=bool)
    points = rectangle.get("annopoints")
    for point in _as_list(points["point"]) if isinstance(points, dict) else []:
        joints[int(point["id"])] = float(point["x"]), float(point["y"])
        labelled[int(point["id"])] = True
    corners = [np.atleast_1d(rectangle.get(name, [])) for name in ("x1", "y1", "x2", "y2")]
    x1, y1, x2, y2 = (float(corner[0]) if corner.size else np.nan for corner in corners)
    return ReleasePerson(
        image=image,
        image_index=image_index,
        person_index=person_index,
        centre=(float(position["x"]), float(position["y"])),
        scale=float(scale[0]),
        is_train=is_train,
        is_single=is_single,
        joints=joints,
        labelled=labelled,
        headbox=None if np.isnan([x1, y1, x2, y2]).any() else (x1, y1, x2, y2),
    )


def _as_list(value: Any) -> list[Any]:
    """Return what SciPy made of a MATLAB array of structures or cells: a lone element comes without its array."""
    return [value] if isinstance(value, dict) or np.isscalar(value) else list(value)
