"""The types that everything here shares: findings, and an annotation file as people that can be checked.

What is wrong with a single annotation becomes a finding; only a file of neither layout is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import mirror_name

NO_BOX: NDArray[np.float64] = np.full(4, np.nan)


class Severity(Enum):
    """How sure it is that something is wrong."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing that is wrong or suspicious."""

    file: str  # the annotation file
    image: str  # the image's file name; empty if it is about no single image
    # the annotation's id (in MPII's layout its index, from 0); None if it is about no single person
    annotation: int | str | None
    reason: str  # a short name, always the same for the same kind
    severity: Severity  # an error is certainly wrong; a warning should be looked at
    detail: str  # what exactly, with numbers


@dataclass(frozen=True, kw_only=True)
class LabelledPerson:
    """One annotation; coordinates are 0-based pixel centres."""

    annotation: int | str  # its id, or its index in the list
    image: str  # the image's file name
    keypoints: NDArray[np.float64]  # (K, 2), NaN where not labelled
    box: NDArray[np.float64]  # x1, y1, x2, y2; NaN where there is none

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(K,)."""
        return np.isfinite(self.keypoints).all(axis=1)

    @property
    def size(self) -> float:
        """Root mean square distance of the labelled keypoints from their mean, pixels; 0 if none is labelled."""
        return person_size(self.keypoints)


def person_size(keypoints: NDArray[np.float64]) -> float:
    """Return the root mean square distance of keypoints (K, 2) from their mean; 0 if all are NaN."""
    known = keypoints[np.isfinite(keypoints).all(axis=1)]
    return float(np.sqrt(((known - known.mean(axis=0)) ** 2).sum(axis=1).mean())) if len(known) else 0.0


@dataclass(kw_only=True)
class LabelledDataset:
    """An annotation file."""

    path: Path  # the file
    keypoint_names: tuple[str, ...]  # K names
    limbs: tuple[tuple[int, int], ...] = ()  # pairs of keypoint indices
    # (width, height) of each image by its file name; None where the file does not say
    image_sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    people: list[LabelledPerson] = field(default_factory=list)  # those that could be read
    findings: list[Finding] = field(default_factory=list)  # what is wrong with the others, and with the file

    def finding(
        self,
        reason: str,
        detail: str,
        *,
        image: str = "",
        annotation: int | str | None = None,
        severity: Severity = Severity.WARNING,
    ) -> Finding:
        """Return a finding about this file."""
        return Finding(str(self.path), image, annotation, reason, severity, detail)

    def add_error(self, reason: str, detail: str, *, image: str = "", annotation: int | str | None = None) -> None:
        """Note an error found while reading."""
        self.findings.append(self.finding(reason, detail, image=image, annotation=annotation, severity=Severity.ERROR))

    def check_names(self) -> None:
        """Note names that occur twice, and sides without their other side."""
        names = self.keypoint_names
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                self.add_error("repeated_name", f"keypoint {name!r} is named {names.count(name)} times")
            if mirror_name(name) not in names:
                detail = f"keypoint {name!r} has no {mirror_name(name)!r}"
                self.findings.append(self.finding("unpaired_name", detail))

    def add_person(
        self,
        values: object,
        flags: object,
        *,
        image: str,
        annotation: int | str,
        box: NDArray[np.float64],
        origin: float,
    ) -> bool:
        """Add a person, and note what is wrong with the keypoints; return False if they cannot be used.

        ``values`` are K pairs x, y, where the first pixel's centre is at ``origin``; ``flags`` are K numbers, 0 where
        not labelled; ``box`` is x1, y1, x2, y2, 0-based.
        """
        names = self.keypoint_names
        points, marks = as_numbers(values), as_numbers(flags)
        if points is None or marks is None or points.shape != (len(names), 2) or marks.shape != (len(names),):
            shapes = " and ".join(str(None if each is None else each.shape) for each in (points, marks))
            detail = f"expected x, y and a flag of each of {len(names)} keypoints, got arrays of {shapes}"
            self.add_error("wrong_number_of_keypoints", detail, image=image, annotation=annotation)
            return False
        unknown = ~np.isin(marks, (0, 1, 2))
        if unknown.any():
            detail = f"flag {marks[unknown][0]:g} of {self.join_names(unknown)}: expected 0, 1 or 2"
            self.add_error("unknown_flag", detail, image=image, annotation=annotation)
        labelled = marks > 0
        finite = np.isfinite(points).all(axis=1)
        absent = labelled & (~finite | (points == 0).all(axis=1) | (points == -1).all(axis=1))
        if absent.any():
            detail = f"labelled, but without coordinates: {self.join_names(absent)}"
            self.add_error("no_coordinates", detail, image=image, annotation=annotation)
        keypoints = np.where((labelled & ~absent)[:, None], points - origin, np.nan)
        self.people.append(LabelledPerson(annotation=annotation, image=image, keypoints=keypoints, box=box))
        return True

    def join_names(self, chosen: NDArray[np.bool_] | Sequence[bool]) -> str:
        """Return the names of the chosen keypoints (K,)."""
        return ", ".join(name for name, is_chosen in zip(self.keypoint_names, chosen, strict=True) if is_chosen)


def as_numbers(values: object) -> NDArray[np.float64] | None:
    """Return values as an array, None as NaN; None if they are ragged or not numbers."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
