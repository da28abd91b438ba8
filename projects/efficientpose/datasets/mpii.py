"""MPII with keypoints, centre and image in one frame.

MPII's annotations count pixels from 1, as MATLAB does. MMPose 1.3.2 moves the person's centre to 0-based coordinates
but leaves the keypoints, so that training targets sit one pixel to the lower right of the joints. Here both are
0-based.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mmengine.fileio import exists, get_local_path, get_text, join_path
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.body import MpiiDataset
from mmpose.registry import DATASETS

from efficientpose.core.skeleton import NUM_KEYPOINTS

Annotation = dict[str, Any]


@DATASETS.register_module()
class ExactMpiiDataset(MpiiDataset):
    """MMPose's MPII dataset, checked when loaded, with 0-based pixel-centre keypoints.

    ``keypoints_visible`` is 1 where a joint is labelled and 0 elsewhere; a joint that is not labelled is put at the
    person's centre. In ``test_mode`` people without ``joints`` are people of whom nothing is labelled, as in MPII's
    test set. Each sample carries its annotation as ``raw_ann_info``. Images named by a number, as MPII's are, keep it
    as ``img_id``; otherwise images are numbered in the order of the annotation file.

    Args:
        missing_images: What to do about people whose image is absent: ``"error"``, or ``"skip"`` and log how many.
        **kwargs: Arguments of ``mmpose.datasets.MpiiDataset``, which raises on any it does not know.

    Raises:
        FileNotFoundError: If the annotations, the head boxes, or an image is absent.
        ValueError: If the annotations or the head boxes are not what they should be, or nobody is left.
    """

    ann_file: str

    def __init__(self, *, missing_images: Literal["error", "skip"] = "error", **kwargs: Any) -> None:
        if missing_images not in {"error", "skip"}:
            raise ValueError(f"missing_images {missing_images!r}: choose 'error' or 'skip'")
        self.missing_images = missing_images
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Load one entry a person (``topdown``) or an image (``bottomup``).

        Raises:
            ValueError: If nobody is left.
        """
        data_list: list[dict[str, Any]] = super().load_data_list()
        if not data_list:
            raise ValueError(f"{self.ann_file}: no usable person is left; expected a box of positive size and an image")
        return data_list

    def _load_annotations(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        annotations = read_annotations(self.ann_file, require_joints=not self.test_mode)
        if self.headbox_file:
            check_headboxes(self.headbox_file, num_people=len(annotations), ann_file=self.ann_file)
        paths = [join_path(self.data_prefix["img"], annotation["image"]) for annotation in annotations]
        present = self._find_images(paths)
        image_ids = number_images([annotation["image"] for annotation in annotations])
        prepared = [_prepare(annotation, image_ids[annotation["image"]]) for annotation in annotations]

        # MMPose's loader reads a file, so it gets the prepared annotations in one.
        ann_file = self.ann_file
        with tempfile.TemporaryDirectory() as folder:
            self.ann_file = str(Path(folder) / "prepared.json")
            Path(self.ann_file).write_text(json.dumps(prepared), encoding="utf-8")
            try:
                people, images = super()._load_annotations()
            finally:
                self.ann_file = ann_file
        path_by_id = {}
        for person, annotation, path in zip(people, annotations, paths, strict=True):
            person |= {"img_path": path, "raw_ann_info": annotation}
            path_by_id[person["img_id"]] = path
        for image in images:
            image["img_path"] = path_by_id[image["img_id"]]
        return (
            [person for person in people if person["img_path"] in present],
            [image for image in images if image["img_path"] in present],
        )

    def _find_images(self, paths: Sequence[str]) -> set[str]:
        """Return the paths that exist.

        Raises:
            FileNotFoundError: If one does not, and ``missing_images`` is ``"error"``.
        """
        distinct = dict.fromkeys(paths)
        missing = [path for path in distinct if not exists(path)]
        if missing and self.missing_images == "error":
            raise FileNotFoundError(
                f"{missing[0]}: no such image ({len(missing)} of the {len(distinct)} images that {self.ann_file} lists "
                "are absent); correct data_prefix, or leave their people out with missing_images='skip'"
            )
        if missing:
            absent = set(missing)
            num_people = sum(path in absent for path in paths)
            MMLogger.get_current_instance().warning(
                f"{self.ann_file}: {num_people} of {len(paths)} people are left out, because {len(missing)} images are "
                f"absent, such as {missing[0]}"
            )
        return set(distinct) - set(missing)


def read_annotations(ann_file: str, *, require_joints: bool = True) -> list[Annotation]:
    """Read an MPII annotation file as MMPose has it (``mpii_train.json``) and check it.

    Args:
        ann_file: A JSON list of people: ``image``, ``center`` (x, y), ``scale`` (person height / 200 px), ``joints``
            (16 × 2) and ``joints_vis`` (16 × 0 or 1); pixels are counted from 1.
        require_joints: Whether a person must have joints.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a list, or empty.
    """
    if not ann_file or not exists(ann_file):
        raise FileNotFoundError(
            f"{ann_file!r}: no such annotation file; expected MPII annotations: MMPose's mpii_train.json, or, of "
            "tools/dataset_converters/mpii_mat2json.py, mpii_random_train.json, to be named as the dataset's ann_file"
        )
    try:
        annotations = json.loads(get_text(ann_file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{ann_file} is not JSON: {error}") from error
    if not isinstance(annotations, list) or not all(isinstance(annotation, dict) for annotation in annotations):
        raise ValueError(f"{ann_file} does not hold a list of people, expected one as in mpii_train.json")
    if not annotations:
        raise ValueError(f"{ann_file} is empty: expected at least one person")
    for i, annotation in enumerate(annotations):
        problem = find_problem(annotation, require_joints=require_joints)
        if problem:
            raise ValueError(f"{ann_file}: person {i} ({annotation.get('image')}): {problem}")
    return annotations


def find_problem(annotation: Annotation, *, require_joints: bool) -> str | None:
    """Return what is wrong with a person's annotation, None if nothing is."""
    needed = ["image", "center", "scale"]
    if require_joints or "joints" in annotation:
        needed += ["joints", "joints_vis"]
    missing = [key for key in needed if key not in annotation]
    if missing:
        return f"lacks {', '.join(missing)}"
    if not isinstance(annotation["image"], str):
        return f"image is {annotation['image']!r}, expected a file name"
    centre_and_scale = _as_numbers([annotation["center"], [annotation["scale"], 0]], shape=(2, 2))
    if centre_and_scale is None or not np.isfinite(centre_and_scale).all():
        return f"center {annotation['center']} and scale {annotation['scale']}: expected a finite (x, y) and a number"
    if annotation["scale"] <= 0:  # MMPose would leave the person out without a word
        return f"scale is {annotation['scale']}, expected a height over 200 pixels, above 0"
    return _find_joint_problem(annotation) if "joints" in annotation else None


def _find_joint_problem(annotation: Annotation) -> str | None:
    labelled = _as_numbers(annotation["joints_vis"], shape=(NUM_KEYPOINTS,))
    if labelled is None or not np.isin(labelled, [0, 1]).all():
        return f"joints_vis is {annotation['joints_vis']}, expected {NUM_KEYPOINTS} values 0 or 1 (labelled)"
    joints = _as_numbers(annotation["joints"], shape=(NUM_KEYPOINTS, 2))
    if joints is None:
        num_joints = len(annotation["joints"]) if isinstance(annotation["joints"], list) else 0
        return f"joints are {num_joints} entries that are not {NUM_KEYPOINTS} pairs of numbers, expected x, y of each"
    broken = np.flatnonzero(~np.isfinite(joints).all(axis=1) & (labelled == 1))
    if len(broken):
        return f"labelled joint {broken[0]} is at {joints[broken[0]].tolist()}, expected finite coordinates"
    return None


def _as_numbers(values: object, *, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return ``values`` as an array of ``shape``; None if they are no such numbers (None counts as NaN)."""
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape else None


def check_headboxes(headbox_file: str, *, num_people: int, ann_file: str) -> None:
    """Check that a head-box file belongs to an annotation file.

    Args:
        headbox_file: A ``.mat`` with ``headboxes_src``, (2, 2, N): corners, x and y, people.
        num_people: In the annotation file.
        ann_file: Named in errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the boxes are of another number than the people, or of no size.
    """
    from scipy.io import loadmat

    if not exists(headbox_file):
        raise FileNotFoundError(f"{headbox_file}: no such head-box file; expected one such as mpii_gt_val.mat")
    with get_local_path(headbox_file) as local_path:
        contents = loadmat(local_path)
    if "headboxes_src" not in contents:
        raise ValueError(f"{headbox_file} lacks headboxes_src; expected a head-box file such as mpii_gt_val.mat")
    boxes = contents["headboxes_src"]
    if boxes.shape != (2, 2, num_people):
        raise ValueError(
            f"{headbox_file}: headboxes_src has shape {boxes.shape}, expected (2, 2, {num_people}) for the "
            f"{num_people} people of {ann_file}"
        )
    lengths = np.linalg.norm(boxes[1].astype(float) - boxes[0], axis=0)
    broken = np.flatnonzero(~(lengths > 0))
    if len(broken):
        raise ValueError(
            f"{headbox_file}: head box {broken[0]} has diagonal {lengths[broken[0]]}, expected more than 0"
        )


def number_images(names: Sequence[str]) -> dict[str, int]:
    """Return a number for each image: that in its name if each has its own, else its place in the list."""
    distinct = list(dict.fromkeys(names))
    stems = [Path(name).stem for name in distinct]
    if all(stem.isdecimal() for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return {name: int(stem) for name, stem in zip(distinct, stems, strict=True)}
    return {name: i for i, name in enumerate(distinct)}


def _prepare(annotation: Annotation, image_id: int) -> Annotation:
    """Return what MMPose's loader needs of an annotation: 0-based joints, and an image name it can number.

    The centre stays 1-based, because the loader itself moves it.
    """
    centre = np.array(annotation["center"], dtype=float)
    labelled = np.zeros(NUM_KEYPOINTS)
    joints = np.tile(centre, (NUM_KEYPOINTS, 1))
    if "joints" in annotation:
        labelled = np.array(annotation["joints_vis"], dtype=float)
        joints = np.where(labelled[:, None] == 1, np.array(annotation["joints"], dtype=float), centre)
    return {
        "image": f"{image_id}.jpg",
        "center": centre.tolist(),
        "scale": float(annotation["scale"]),
        "joints": (joints - 1).tolist(),
        "joints_vis": labelled.astype(int).tolist(),
    }
