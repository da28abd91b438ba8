"""COCO's layout: images, annotations, and categories that name the keypoints; pixels count from 0."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import NO_BOX, LabelledDataset, as_numbers


def read_coco(path: Path, content: dict[str, Any]) -> LabelledDataset:
    """Read images, categories and annotations; annotations without keypoints are left out.

    Raises ValueError if a part is missing, or no category names keypoints.
    """
    for part in ("images", "annotations", "categories"):
        if not isinstance(content.get(part), list) or not all(isinstance(entry, dict) for entry in content[part]):
            raise ValueError(f"{path}: {part!r} must be a list of objects, as in COCO's layout")
    categories = [entry for entry in content["categories"] if entry.get("keypoints")]
    if not categories:
        found = [entry.get("name") for entry in content["categories"]]
        raise ValueError(f"{path}: none of the categories {found} has 'keypoints', a list of names")
    names = tuple(map(str, categories[0]["keypoints"]))
    dataset = LabelledDataset(path=path, keypoint_names=names)
    dataset.limbs = _read_limbs(dataset, categories[0].get("skeleton") or [])
    dataset.check_names()
    for other in categories[1:]:
        if tuple(other["keypoints"]) != names:
            dataset.add_error("unknown_category", f"category {other.get('name')!r} has other keypoints: not checked")
    images = _read_images(dataset, content["images"])
    for number, count in Counter(str(entry.get("id")) for entry in content["annotations"]).items():
        if count > 1:
            dataset.add_error("repeated_id", f"{count} annotations have this id", annotation=number)
    known = {entry.get("id"): entry.get("name") for entry in content["categories"]}
    checked = {entry.get("id") for entry in categories if tuple(entry["keypoints"]) == names}
    for entry in content["annotations"]:
        _read_annotation(dataset, entry, images=images, categories=known, checked=checked)
    return dataset


def _read_limbs(dataset: LabelledDataset, skeleton: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    limbs = []
    for pair in skeleton:
        numbers, known = as_numbers(pair), 1 + np.arange(len(dataset.keypoint_names))
        if numbers is None or numbers.shape != (2,) or not np.isin(numbers, known).all():
            dataset.add_error("unknown_limb", f"skeleton has {pair}: expected two keypoints, counted from 1")
        else:
            limbs.append((int(numbers[0]) - 1, int(numbers[1]) - 1))
    return tuple(limbs)


def _read_images(dataset: LabelledDataset, entries: Sequence[dict[str, Any]]) -> dict[Any, str]:
    """Return file names by the images' ids."""
    images: dict[Any, str] = {}
    for entry in entries:
        name, number = str(entry.get("file_name")), entry.get("id")
        if number in images:
            dataset.add_error("repeated_id", f"image id {number} is also of {images[number]}", image=name)
        if name in dataset.image_sizes:
            dataset.add_error("repeated_image", "listed twice", image=name)
        images[number] = name
        size = as_numbers([entry.get("width"), entry.get("height")])
        if size is None or not (size > 0).all():
            detail = f"width {entry.get('width')} and height {entry.get('height')}: expected positive numbers"
            dataset.add_error("unusable_size", detail, image=name)
            dataset.image_sizes[name] = None
        else:
            dataset.image_sizes[name] = (int(size[0]), int(size[1]))
    return images


def _read_annotation(
    dataset: LabelledDataset, entry: dict[str, Any], *, images: dict[Any, str], categories: dict[Any, Any], checked: set
) -> None:
    number, category, image = entry.get("id", ""), entry.get("category_id"), images.get(entry.get("image_id"))
    if category not in categories:
        there = ", ".join(f"{key} ({name})" for key, name in categories.items())
        detail = f"category_id {category!r}: there are {there}"
        dataset.add_error("unknown_category", detail, image=image or "", annotation=number)
        return
    if image is None:
        detail = f"image_id {entry.get('image_id')!r} is not among the images"
        dataset.add_error("unknown_image", detail, annotation=number)
        return
    if category not in checked or "keypoints" not in entry:
        return
    flat = as_numbers(entry["keypoints"])
    triples = np.empty((0, 3)) if flat is None or flat.ndim != 1 or len(flat) % 3 else flat.reshape(-1, 3)
    box = _read_box(dataset, entry, image=image)
    usable = dataset.add_person(triples[:, :2], triples[:, 2], image=image, annotation=number, box=box, origin=0.0)
    counted, num_labelled = entry.get("num_keypoints"), int((triples[:, 2] > 0).sum())
    if usable and counted is not None and counted != num_labelled:
        detail = f"num_keypoints is {counted}, but {num_labelled} are labelled"
        dataset.findings.append(dataset.finding("wrong_count", detail, image=image, annotation=number))


def _read_box(dataset: LabelledDataset, entry: dict[str, Any], *, image: str) -> NDArray[np.float64]:
    box = as_numbers(entry.get("bbox"))
    if box is None or box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
        detail = f"bbox is {entry.get('bbox')}: expected x, y, width, height of positive size"
        dataset.add_error("unusable_box", detail, image=image, annotation=entry.get("id", ""))
        return NO_BOX
    return np.concatenate((box[:2], box[:2] + box[2:]))
