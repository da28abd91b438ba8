"""The same person annotated twice, and keypoints copied from one image to another."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from dataset_checker.annotations import LabelledDataset, LabelledPerson
from dataset_checker.findings import Finding, Severity
from dataset_checker.geometry import person_size

SAME_PERSON = 0.05
"""Mean distance of two people's keypoints, per their size, below which they are one."""

MIN_SHARED = 3
"""Keypoints that both must have labelled to be compared."""


def check_duplicates(dataset: LabelledDataset) -> Iterator[Finding]:
    """Yield annotations that repeat an earlier one."""
    in_image: dict[str, list[LabelledPerson]] = defaultdict(list)
    by_keypoints: dict[bytes, LabelledPerson] = {}
    for person in dataset.people:
        if person.labelled.sum() < MIN_SHARED:
            continue
        for other in in_image[person.image]:
            distance = keypoint_distance(person, other)
            if distance < SAME_PERSON:
                detail = f"as annotation {other.annotation}: keypoints {distance:.3f} of the person's size apart"
                yield _finding(dataset, person, "person_twice", detail)
                break
        in_image[person.image].append(person)
        first = by_keypoints.setdefault(np.round(person.keypoints, 3).tobytes(), person)
        if first.image != person.image:
            detail = f"the very same coordinates as annotation {first.annotation} of {first.image}"
            yield _finding(dataset, person, "copied_keypoints", detail)


def _finding(dataset: LabelledDataset, person: LabelledPerson, reason: str, detail: str) -> Finding:
    return Finding(str(dataset.path), person.image, person.annotation, reason, Severity.WARNING, detail)


def keypoint_distance(person: LabelledPerson, other: LabelledPerson) -> float:
    """Return the mean distance of the keypoints that both have, per the larger one's size; infinite if too few."""
    shared = person.labelled & other.labelled
    size = max(person_size(person.keypoints), person_size(other.keypoints))
    if shared.sum() < MIN_SHARED or size == 0:
        return float("inf")
    return float(np.linalg.norm(person.keypoints[shared] - other.keypoints[shared], axis=1).mean() / size)
