"""COCO's layout: images, annotations, and categories that name the keypoints; pixels are counted from 0."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import (
    NO_BOX,
    LabelledDataset,
    LabelledPerson,
    as_name,
    as_numbers,
    check_names,
    read_keypoints,
)
from dataset_checker.findings import Severity


def read_coco(path: Path, content: dict[str, Any]) -> LabelledDataset:
    """Read images, categories and annotations; annotations without keypoints are passed over.

    Raises:
        ValueError: If a part is missing, or no category names keypoints.
    """
    for part in ("images", "annotations", "categories"):
        if not isinstance(content.get(part), list) or not all(isinstance(entry, dict) for entry in content[part]):
            raise ValueError(f"{path}: {part!r} must be a list of objects, as in COCO's layout")
    categories = [entry for entry in content["categories"] if entry.get("keypoints")]
    if not categories:
        found = [entry.get("name") for entry in content["categories"]]
        raise ValueError(f"{path}: none of the categories {found} has 'keypoints', a list of names")
    names = tuple(map(str, categories[0]["keypoints"]))
    dataset = LabelledDataset(path=path, keypoint_names=names, limbs=(), image_sizes={})
    dataset.limbs = _read_limbs(dataset, categories[0].get("skeleton") or [])
    check_names(dataset, names)
    for other in categories[1:]:
        if tuple(other["keypoints"]) != names:
            dataset.add("unknown_category", f"category {other.get('name')!r} has keypoints of its own: not checked")
    images = _read_images(dataset, content["images"])
    _check_ids(dataset, content["annotations"])
    known = {entry.get("id"): entry.get("name") for entry in content["categories"]}
    own = {entry.get("id") for entry in categories if tuple(entry["keypoints"]) == names}
    for entry in content["annotations"]:
        _read_annotation(dataset, entry, images=images, categories=known, own=own)
    return dataset


def _read_limbs(dataset: LabelledDataset, skeleton: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    limbs = []
    for pair in skeleton:
        numbers = as_numbers(pair)
        if (
            numbers is None
            or numbers.shape != (2,)
            or not np.isin(numbers, 1 + np.arange(len(dataset.keypoint_names))).all()
        ):
            dataset.add("unknown_limb", f"skeleton has {pair}: expected two keypoints, counted from 1")
        else:
            limbs.append((int(numbers[0]) - 1, int(numbers[1]) - 1))
    return tuple(limbs)


def _read_images(dataset: LabelledDataset, entries: Sequence[dict[str, Any]]) -> dict[Any, str]:
    """Return file names by the images' ids."""
    images: dict[Any, str] = {}
    for entry in entries:
        name, number = as_name(entry.get("file_name")), entry.get("id")
        if number in images:
            dataset.add("repeated_id", f"image id {number} is also of {images[number]}", image=name)
        if name in dataset.image_sizes:
            dataset.add("repeated_image", "listed twice, under two ids or one", image=name)
        images[number] = name
        size = as_numbers([entry.get("width"), entry.get("height")])
        if size is None or not (size > 0).all():
            detail = f"width {entry.get('width')} and height {entry.get('height')}: expected positive numbers"
            dataset.add("unusable_size", detail, image=name)
            dataset.image_sizes[name] = None
        else:
            dataset.image_sizes[name] = (int(size[0]), int(size[1]))
    return images


def _check_ids(dataset: LabelledDataset, entries: Sequence[dict[str, Any]]) -> None:
    for number, count in Counter(str(entry.get("id")) for entry in entries).items():
        if count > 1:
            dataset.add("repeated_id", f"{count} annotations have this id", annotation=number)


def _read_annotation(
    dataset: LabelledDataset, entry: dict[str, Any], *, images: dict[Any, str], categories: dict[Any, Any], own: set
) -> None:
    number = entry.get("id", "")
    category, image = entry.get("category_id"), images.get(entry.get("image_id"))
    if category not in categories:
        detail = (
            f"category_id {category!r}: there are {', '.join(f'{key} ({name})' for key, name in categories.items())}"
        )
        dataset.add("unknown_category", detail, image=image or "", annotation=number)
        return
    if image is None:
        dataset.add("unknown_image", f"image_id {entry.get('image_id')!r} is not among the images", annotation=number)
        return
    if category not in own or "keypoints" not in entry:
        return
    values = entry["keypoints"]
    triples = as_numbers(values)
    is_whole = triples is not None and triples.ndim == 1 and len(triples) % 3 == 0
    split = triples.reshape(-1, 3) if is_whole and triples is not None else np.empty((0, 3))
    keypoints = read_keypoints(dataset, split[:, :2], split[:, 2], image=image, annotation=number, origin=0.0)
    if keypoints is None:
        return
    counted = entry.get("num_keypoints")
    if counted is not None and counted != int((split[:, 2] > 0).sum()):
        detail = f"num_keypoints is {counted}, but {int((split[:, 2] > 0).sum())} are labelled"
        dataset.add("wrong_count", detail, image=image, annotation=number, severity=Severity.WARNING)
    box = _read_box(dataset, entry, image=image)
    dataset.people.append(LabelledPerson(annotation=number, image=image, keypoints=keypoints, box=box))


def _read_box(dataset: LabelledDataset, entry: dict[str, Any], *, image: str) -> NDArray[np.float64]:
    box = as_numbers(entry.get("bbox"))
    if box is None or box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
        detail = f"bbox is {entry.get('bbox')}: expected x, y, width, height of positive size"
        dataset.add("unusable_box", detail, image=image, annotation=entry.get("id", ""))
        return NO_BOX
    return np.concatenate((box[:2], box[:2] + box[2:]))
