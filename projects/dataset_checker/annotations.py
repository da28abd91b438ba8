"""Annotation files in COCO's and in MPII's layout as one thing that can be checked.

What is wrong with a single annotation becomes a finding; only a file that is of neither layout is an error.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_checker.findings import Finding, Severity

NO_BOX: NDArray[np.float64] = np.full(4, np.nan)


@dataclass(frozen=True, kw_only=True)
class LabelledPerson:
    """One annotation; coordinates are 0-based pixel centres.

    Attributes:
        annotation: Its id, or its place in the list.
        image: The image's file name.
        keypoints: (K, 2), NaN where not labelled.
        box: x1, y1, x2, y2; NaN where there is none.
    """

    annotation: int | str
    image: str
    keypoints: NDArray[np.float64]
    box: NDArray[np.float64]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(K,)."""
        return np.isfinite(self.keypoints).all(axis=1)


@dataclass(kw_only=True)
class LabelledDataset:
    """An annotation file.

    Attributes:
        path: The file.
        keypoint_names: K names.
        limbs: Pairs of keypoint indices.
        image_sizes: (width, height) of each image by its file name; None where the file does not say.
        people: Those that could be read.
        findings: What was wrong with the others, and with the file.
    """

    path: Path
    keypoint_names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    image_sizes: dict[str, tuple[int, int] | None]
    people: list[LabelledPerson] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(
        self,
        reason: str,
        detail: str,
        *,
        image: str = "",
        annotation: int | str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note something that is wrong."""
        self.findings.append(Finding(str(self.path), image, annotation, reason, severity, detail))


def read_dataset(path: Path) -> LabelledDataset:
    """Read an annotation file of either layout.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not JSON, or of neither layout.
    """
    from dataset_checker.coco_layout import read_coco
    from dataset_checker.mpii_layout import read_mpii

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
        return read_mpii(path, content)
    if isinstance(content, dict) and "annotations" in content:
        return read_coco(path, content)
    raise ValueError(
        f"{path}: expected COCO's layout (an object with images, annotations and categories) or MPII's (a list of "
        "people with image, joints and joints_vis)"
    )


def read_keypoints(
    dataset: LabelledDataset, values: object, flags: object, *, image: str, annotation: int | str, origin: float
) -> NDArray[np.float64] | None:
    """Read one person's keypoints and note what is wrong with them.

    Args:
        dataset: Gets the findings.
        values: K pairs x, y.
        flags: K numbers, 0 where not labelled.
        image: Named in findings.
        annotation: Named in findings.
        origin: What the file calls the first pixel's centre.

    Returns:
        (K, 2) 0-based, NaN where not labelled or unusable; None if they are of another number.
    """
    names = dataset.keypoint_names
    points, marks = as_numbers(values), as_numbers(flags)
    about = dict(image=image, annotation=annotation)
    if points is None or marks is None or points.shape != (len(names), 2) or marks.shape != (len(names),):
        shapes = [None if each is None else each.shape for each in (points, marks)]
        detail = (
            f"expected x, y and a flag of each of {len(names)} keypoints, got arrays of {shapes[0]} and {shapes[1]}"
        )
        dataset.add("wrong_number_of_keypoints", detail, **about)  # type: ignore[arg-type]
        return None
    labelled = marks > 0
    if strange := [name for name, mark in zip(names, marks, strict=True) if mark not in (0, 1, 2)]:
        detail = f"flag {marks[names.index(strange[0])]:g} of {', '.join(strange)}: expected 0, 1 or 2"
        dataset.add("unknown_flag", detail, **about)  # type: ignore[arg-type]
    finite = np.isfinite(points).all(axis=1)
    absent = labelled & (~finite | (points == 0).all(axis=1) | (points == -1).all(axis=1))
    if absent.any():
        listed = ", ".join(names[index] for index in np.flatnonzero(absent))
        detail = f"labelled, but without coordinates: {listed}"
        dataset.add("no_coordinates", detail, **about)  # type: ignore[arg-type]
    return np.where((labelled & ~absent)[:, None], points - origin, np.nan)


def as_numbers(values: object) -> NDArray[np.float64] | None:
    """Return an array of numbers; None counts as NaN, and what is no number or ragged gives None."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def as_name(value: Any) -> str:
    """Return a file name as text."""
    return value if isinstance(value, str) else repr(value)


def check_names(dataset: LabelledDataset, names: Sequence[str]) -> None:
    """Note names that occur twice, and sides without their other side."""
    from efficientpose.core.skeleton import mirror_name

    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            dataset.add("repeated_name", f"keypoint {name!r} is named {names.count(name)} times")
        if mirror_name(name) not in names:
            detail = f"keypoint {name!r} has no {mirror_name(name)!r}"
            dataset.add("unpaired_name", detail, severity=Severity.WARNING)
