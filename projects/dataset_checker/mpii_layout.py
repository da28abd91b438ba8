"""MPII's layout: a list of people; pixels are counted from 1."""

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
    read_keypoints,
)
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.datasets.lsp_boxes import CENTRE_SHIFT_PER_SCALE, PIXELS_PER_SCALE


def read_mpii(path: Path, entries: list[dict[str, Any]]) -> LabelledDataset:
    """Read a list of people; those without ``joints`` (a test set's) have nothing to check.

    Raises:
        ValueError: If it is no such list.
    """
    if not any("image" in entry and ("joints" in entry or "center" in entry) for entry in entries):
        raise ValueError(f"{path}: none of {len(entries)} entries has image and joints, as MPII's layout has them")
    limbs = tuple((limb.proximal, limb.distal) for limb in LIMBS)
    dataset = LabelledDataset(path=path, keypoint_names=KEYPOINT_NAMES, limbs=limbs, image_sizes={})
    for index, entry in enumerate(entries):
        image = as_name(entry.get("image"))
        dataset.image_sizes.setdefault(image, None)
        if "joints" not in entry:
            continue
        keypoints = read_keypoints(
            dataset, entry["joints"], entry.get("joints_vis"), image=image, annotation=index, origin=1.0
        )
        if keypoints is not None:
            box = _read_box(dataset, entry, image=image, annotation=index)
            dataset.people.append(LabelledPerson(annotation=index, image=image, keypoints=keypoints, box=box))
    return dataset


def _read_box(dataset: LabelledDataset, entry: dict[str, Any], *, image: str, annotation: int) -> NDArray[np.float64]:
    """Return the box that MMPose makes of centre and scale."""
    centre, scale = as_numbers(entry.get("center")), as_numbers(entry.get("scale"))
    usable = centre is not None and scale is not None and centre.shape == (2,) and scale.shape == ()
    if not usable or not np.isfinite(centre).all() or not 0 < scale < np.inf:  # type: ignore[arg-type,operator]
        detail = f"center {entry.get('center')} and scale {entry.get('scale')}: expected x, y and a positive number"
        dataset.add("unusable_box", detail, image=image, annotation=annotation)
        return NO_BOX
    middle = np.asarray(centre) + np.array((0, CENTRE_SHIFT_PER_SCALE * float(scale))) - 1  # type: ignore[arg-type]
    half = PIXELS_PER_SCALE * float(scale) / 2  # type: ignore[arg-type]
    return np.concatenate((middle - half, middle + half))
