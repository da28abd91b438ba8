"""Read MPII with keypoints and centre in one frame: 0-based pixel centres.

MPII's annotations count pixels from 1, as MATLAB does. MMPose 1.3.2 makes the person's centre 0-based but not the
keypoints, so that training targets lie one pixel to the lower right of the joints.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mmengine.fileio import exists, get_local_path, get_text, join_path
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.body import MpiiDataset
from mmpose.registry import DATASETS
from mmpose.structures.bbox import bbox_cs2xyxy

from efficientpose.core.skeleton import NUM_KEYPOINTS
from efficientpose.datasets.annotation_files import CENTRE_SHIFT_PER_SCALE, PIXELS_PER_SCALE

Annotation = dict[str, Any]


@DATASETS.register_module()
class ExactMpiiDataset(MpiiDataset):
    """MMPose's MPII dataset, checked when loaded, with 0-based pixel-centre keypoints.

    ``keypoints_visible`` is 1 where a joint is labelled and 0 elsewhere; an unlabelled joint is put at the person's
    centre. In ``test_mode``, a person without ``joints`` has no labelled joint, as in MPII's test set. Each sample
    carries its annotation as ``raw_ann_info``. An image named by a number, as in MPII, has it as ``img_id``; otherwise
    images are numbered in the order of the annotation file.

    Args:
        missing_images: If an image is absent: ``"error"``, or ``"skip"`` its people and log how many.
        **kwargs: Arguments of ``mmpose.datasets.MpiiDataset``, which raises on any it does not know.

    Raises:
        FileNotFoundError: If the annotations, the head boxes, or an image is absent.
        ValueError: If the annotations or the head boxes are not what they should be, or no person is left.
    """

    ann_file: str

    def __init__(self, *, missing_images: Literal["error", "skip"] = "error", **kwargs: Any) -> None:
        if missing_images not in {"error", "skip"}:
            raise ValueError(f"missing_images {missing_images!r}: choose 'error' or 'skip'")
        self.missing_images = missing_images
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Load one entry a person (``topdown``) or an image (``bottomup``)."""
        data_list: list[dict[str, Any]] = super().load_data_list()
        if not data_list:
            raise ValueError(f"{self.ann_file}: no usable person is left; expected a box of positive size and an image")
        return data_list

    def _load_annotations(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return one dictionary a person and one an image, as MMPose's loader does (its contract)."""
        annotations = read_annotations(self.ann_file, require_joints=not self.test_mode)
        head_sizes = None
        if self.headbox_file:
            head_sizes = read_head_sizes(self.headbox_file, num_people=len(annotations), ann_file=self.ann_file)
        paths = [join_path(self.data_prefix["img"], annotation["image"]) for annotation in annotations]
        present = self._find_images(paths)
        image_ids = number_images([annotation["image"] for annotation in annotations])
        people, images = [], {}
        for index, (annotation, path) in enumerate(zip(annotations, paths, strict=True)):
            if path not in present:
                continue
            image = {"img_id": image_ids[annotation["image"]], "img_path": path}
            images[path] = image
            people.append(_parse_person(annotation) | image | {"id": index, "raw_ann_info": annotation})
            if head_sizes is not None:
                people[-1]["head_size"] = head_sizes[index].reshape(1, 1)
        self.coco = None
        return people, list(images.values())

    def _find_images(self, paths: Sequence[str]) -> set[str]:
        """Return the paths that exist; an absent one is an error, or logged."""
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
    """Read and check an MPII annotation file, such as MMPose's ``mpii_train.json``.

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
    if annotation["scale"] <= 0:  # MMPose would silently leave the person out
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
    """Return values as an array, None as NaN; None if they are not numbers of this shape."""
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape else None


def read_head_sizes(headbox_file: str, *, num_people: int, ann_file: str) -> np.ndarray:
    """Read head boxes and return PCKh's reference lengths (N,), pixels: 0.6 times their diagonals.

    The ``.mat`` file has ``headboxes_src``, (2, 2, N): corners, x and y, people. ``ann_file`` is named in errors.
    Raises FileNotFoundError if there is no such file; ValueError if the boxes are not one a person, or empty.
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
    diagonals: np.ndarray = np.linalg.norm(boxes[1].astype(float) - boxes[0], axis=0)
    if len(broken := np.flatnonzero(~(diagonals > 0))):
        raise ValueError(
            f"{headbox_file}: head box {broken[0]} has diagonal {diagonals[broken[0]]}, expected more than 0"
        )
    return 0.6 * diagonals


def number_images(names: Sequence[str]) -> dict[str, int]:
    """Return a number for each image: the one in its name if these are distinct, else its index."""
    distinct = list(dict.fromkeys(names))
    stems = [Path(name).stem for name in distinct]
    if all(stem.isdecimal() for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return {name: int(stem) for name, stem in zip(distinct, stems, strict=True)}
    return {name: i for i, name in enumerate(distinct)}


def _parse_person(annotation: Annotation) -> dict[str, Any]:
    """Return a person's keypoints and box as MMPose's loader does, but all of it 0-based."""
    scale = np.full((1, 2), annotation["scale"], np.float32) * np.float32(PIXELS_PER_SCALE)
    centre = np.array([annotation["center"]], np.float32)  # (1, 2)
    joints = np.tile(np.array(annotation["center"], float), (NUM_KEYPOINTS, 1))
    labelled = np.zeros(NUM_KEYPOINTS, int)
    if "joints" in annotation:
        labelled = np.array(annotation["joints_vis"], int)
        joints = np.where(labelled[:, None] == 1, np.array(annotation["joints"], float), joints)
    if centre[0, 0] != -1:  # as MMPose has it: a centre that is not known stays
        centre[0, 1] += CENTRE_SHIFT_PER_SCALE / PIXELS_PER_SCALE * scale[0, 1]
    centre -= 1
    bbox = bbox_cs2xyxy(centre, scale)  # (1, 4)
    area = (bbox[:, 2] - bbox[:, 0]) * (bbox[:, 3] - bbox[:, 1]) * 0.53  # MMPose's share of a box that a person fills
    return {
        "bbox_center": centre,
        "bbox_scale": scale,
        "bbox": bbox,
        "bbox_score": np.ones(1, np.float32),
        "keypoints": (joints - 1).astype(np.float32)[None],
        "keypoints_visible": labelled[None],
        "area": np.clip(area, 1.0, None).astype(np.float32),
        "category_id": annotation.get("category_id", [1]),
    }
