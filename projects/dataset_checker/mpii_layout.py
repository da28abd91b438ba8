"""MPII's layout: a list of people; pixels count from 1."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import NO_BOX, LabelledDataset, as_numbers
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.datasets.annotation_files import CENTRE_SHIFT_PER_SCALE, PIXELS_PER_SCALE


def read_mpii(path: Path, entries: list[dict[str, Any]]) -> LabelledDataset:
    """Read a list of people; those without ``joints`` (a test set's) have nothing to check.

    Raises ValueError if it is not such a list.
    """
    if not any("image" in entry and ("joints" in entry or "center" in entry) for entry in entries):
        raise ValueError(f"{path}: none of {len(entries)} entries has image and joints, as MPII's layout has them")
    dataset = LabelledDataset(path=path, keypoint_names=KEYPOINT_NAMES, limbs=LIMBS)
    for index, entry in enumerate(entries):
        image = str(entry.get("image"))
        dataset.image_sizes.setdefault(image, None)
        if "joints" in entry:
            box = _read_box(dataset, entry, image=image, annotation=index)
            dataset.add_person(
                entry["joints"], entry.get("joints_vis"), image=image, annotation=index, box=box, origin=1.0
            )
    return dataset


def _read_box(dataset: LabelledDataset, entry: dict[str, Any], *, image: str, annotation: int) -> NDArray[np.float64]:
    """Return the box that MMPose makes of centre and scale."""
    centre, scale = as_numbers(entry.get("center")), as_numbers(entry.get("scale"))
    if (
        centre is None
        or scale is None
        or centre.shape != (2,)
        or scale.shape != ()
        or not (np.isfinite(centre).all() and 0 < scale < np.inf)
    ):
        detail = f"center {entry.get('center')} and scale {entry.get('scale')}: expected x, y and a positive number"
        dataset.add_error("unusable_box", detail, image=image, annotation=annotation)
        return NO_BOX
    middle = centre + np.array((0, CENTRE_SHIFT_PER_SCALE * scale)) - 1
    half = PIXELS_PER_SCALE * scale / 2
    return np.concatenate((middle - half, middle + half))
