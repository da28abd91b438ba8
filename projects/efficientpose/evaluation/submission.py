"""Write collected predictions to files: for the MPII test server, and as COCO-style results.

Predictions are 0-based pixel-centre indices of the original image, in MMPose's MPII joint order. MPII counts from 1, so
its files get 1 added; COCO-style files keep 0-based coordinates.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from efficientpose.core.skeleton import NUM_KEYPOINTS

PERSON_CATEGORY = 1
POINT_DTYPE = np.dtype([("x", object), ("y", object), ("id", object)])


@dataclass(frozen=True, kw_only=True)
class PersonPrediction:
    """One predicted person.

    Attributes:
        annotation_id: Index of the person in the annotation file.
        image_id: Number of the image, as the dataset gives it.
        image: File name of the image.
        keypoints: (16, 2) x, y; 0-based pixel-centre indices of the original image.
        scores: (16,) confidences.
        image_index: Index of the image in MPII's release, from 0; None where the annotations have none.
        person_index: Index of the person among that image's, from 0, or None.
    """

    annotation_id: int
    image_id: int
    image: str
    keypoints: NDArray[np.float64]
    scores: NDArray[np.float64]
    image_index: int | None = None
    person_index: int | None = None


def write_submission(path: Path, people: Sequence[PersonPrediction], *, release_file: Path | None = None) -> None:
    """Write predictions in one of three formats.

    Args:
        path: ``.json`` for COCO-style results; ``.mat`` for MPII.
        people: In any order.
        release_file: MPII's ``mpii_human_pose_v1_u12_1.mat``. With it, a ``.mat`` is the structure ``pred`` that the
            test server takes. Without it, it is the array ``preds`` that other MPII codebases exchange.

    Raises:
        ValueError: If the ending is neither, two people share an annotation, or a person's place in the release is
            unknown, is not there, or belongs to a training image.
        FileNotFoundError: If there is no such release file.
    """
    ordered = sorted(people, key=lambda person: person.annotation_id)
    for first, second in pairwise(ordered):
        if first.annotation_id == second.annotation_id:
            raise ValueError(f"two predictions for annotation {first.annotation_id} ({first.image}): expected one each")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        _write_coco_results(path, ordered)
    elif path.suffix != ".mat":
        raise ValueError(f"{path}: a submission ends in .mat (MPII) or .json (COCO-style)")
    elif release_file is None:
        _write_flat_mat(path, ordered)
    else:
        _write_server_mat(path, ordered, release_file=release_file)


def _write_coco_results(path: Path, people: Sequence[PersonPrediction]) -> None:
    """Write a list of ``image_id``, ``category_id``, ``keypoints`` (x, y, score; 0-based pixels) and mean ``score``."""
    results = [
        {
            "image_id": person.image_id,
            "id": person.annotation_id,
            "file_name": person.image,
            "category_id": PERSON_CATEGORY,
            "keypoints": np.column_stack([person.keypoints, person.scores]).ravel().tolist(),
            "score": float(person.scores.mean()),
        }
        for person in people
    ]
    path.write_text(json.dumps(results), encoding="utf-8")


def _write_flat_mat(path: Path, people: Sequence[PersonPrediction]) -> None:
    """Write ``preds``, (N, 16, 2): 1-based x and y, people in the given order; MMPose's ``mat2json.py`` reads it."""
    savemat(path, {"preds": np.stack([person.keypoints + 1 for person in people])})


def _write_server_mat(path: Path, people: Sequence[PersonPrediction], *, release_file: Path) -> None:
    """Write ``pred``, the release's test images with ``annorect(k).annopoints.point`` set to the predictions.

    The evaluation toolkit looks for a file called ``pred_keypoints_mpii.mat``.
    """
    if not release_file.is_file():
        raise FileNotFoundError(f"{release_file}: no such file; expected MPII's mpii_human_pose_v1_u12_1.mat")
    release = loadmat(release_file)["RELEASE"][0, 0]
    images = release["annolist"].ravel()
    is_test = release["img_train"].ravel() == 0
    by_image: dict[int, dict[int, PersonPrediction]] = {}
    for person in people:
        if person.image_index is None or person.person_index is None:
            raise ValueError(
                f"annotation {person.annotation_id} ({person.image}) lacks 'image_index' and 'person_index': "
                "convert the annotations with tools/dataset_converters/mpii_mat2json.py"
            )
        if not (0 <= person.image_index < len(images) and is_test[person.image_index]):
            raise ValueError(f"image {person.image_index} ({person.image}) is not a test image of {release_file}")
        by_image.setdefault(person.image_index, {})[person.person_index] = person
    for image_index, image_people in by_image.items():
        images[image_index]["annorect"] = _with_points(images[image_index]["annorect"], image_people)
    savemat(path, {"pred": images[is_test][None, :]}, do_compression=True)


def _with_points(rectangles: NDArray[Any], people: Mapping[int, PersonPrediction]) -> NDArray[Any]:
    """Return an image's ``annorect``, (1, P) of structures, with ``annopoints`` set for ``people`` (by index)."""
    names = [*(name for name in rectangles.dtype.names or () if name != "annopoints"), "annopoints"]
    filled = np.empty(rectangles.shape, dtype=[(name, object) for name in names])
    for place in np.ndindex(rectangles.shape):
        filled[place] = (*(rectangles[place][name] for name in names[:-1]), np.empty((0, 0)))
    for index, person in people.items():
        if not 0 <= index < filled.size:
            raise ValueError(f"image {person.image} has {filled.size} people, not one of index {index}")
        points = np.empty((1, NUM_KEYPOINTS), dtype=POINT_DTYPE)
        for k, (x, y) in enumerate(person.keypoints + 1):
            points[0, k] = (float(x), float(y), float(k))
        filled["annopoints"].flat[index] = {"point": points}
    return filled
