"""Keypoints where none can be: outside image or box, on one spot, on an impossible limb; and people annotated twice."""

import warnings
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import Finding, LabelledDataset, LabelledPerson, Severity
from efficientpose.core.crops import PERSON_PADDING

CROP_PADDING = (PERSON_PADDING - 1) / 2  # what training adds to a box on every side, per its longer side

SAME_SPOT = 0.1
"""Pixels, and at most 2% of the person's size. Keypoints behind one another are seldom that close by chance."""

LONG_LIMB = 6.0
"""Robust standard deviations of the logarithm of the length above which a limb is suspicious.

Measured on 4,000 synthetic people, 200 of them with a keypoint moved by 0.5 to 1.5 of the person's size: 60% were
found, and 6 of 1,000 others named. At 5 it is 67% and 16, at 7 46% and 4.
"""

MIN_LIMBS = 30  # fewer of one limb in the whole dataset say nothing about what is usual
SAME_PERSON = 0.05  # mean distance of two people's keypoints, per their size, below which they are one
MIN_SHARED = 3  # keypoints that both must have labelled to be compared


def check_geometry(dataset: LabelledDataset) -> Iterator[Finding]:
    """Yield what is suspicious about single people, limb lengths among all of them."""
    for person in dataset.people:
        yield from _check_image_borders(dataset, person)
        yield from _check_box(dataset, person)
        yield from _check_spots(dataset, person)
    yield from _check_limbs(dataset)


def _finding(
    dataset: LabelledDataset, person: LabelledPerson, reason: str, detail: str, *, is_certain: bool = False
) -> Finding:
    severity = Severity.ERROR if is_certain else Severity.WARNING
    return dataset.finding(reason, detail, image=person.image, annotation=person.annotation, severity=severity)


def _beyond(points: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each point (K, 2) lies outside a box (K,), the larger of x and y; negative inside, NaN unknown."""
    return np.maximum(box[:2] - points, points - box[2:]).max(axis=1)


def _check_image_borders(dataset: LabelledDataset, person: LabelledPerson) -> Iterator[Finding]:
    size = dataset.image_sizes.get(person.image)
    if size is None:
        return
    border = np.array((-0.5, -0.5, size[0] - 0.5, size[1] - 0.5))
    beyond = _beyond(person.keypoints, border)
    if (outside := beyond > 0).any():
        detail = f"{dataset.join_names(outside)}: up to {np.nanmax(beyond):.1f} px outside {size[0]} x {size[1]} pixels"
        # Some annotators label keypoints just beyond the border; one far away is a mistake.
        yield _finding(dataset, person, "outside_image", detail, is_certain=bool(np.nanmax(beyond) > 0.25 * max(size)))


def _check_box(dataset: LabelledDataset, person: LabelledPerson) -> Iterator[Finding]:
    if not np.isfinite(person.box).all():
        return
    width, height = person.box[2:] - person.box[:2]
    margin = CROP_PADDING * max(width, height)
    beyond = _beyond(person.keypoints, person.box)
    if (outside := beyond > margin).any():
        names = dataset.join_names(outside)
        detail = f"{names}: up to {np.nanmax(beyond):.1f} px outside a box of {width:.0f} x {height:.0f}"
        yield _finding(dataset, person, "box_misses_keypoints", detail, is_certain=bool((beyond > margin).all()))


def _check_spots(dataset: LabelledDataset, person: LabelledPerson) -> Iterator[Finding]:
    known = np.flatnonzero(person.labelled)
    points = person.keypoints[known]
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    size = person.size
    reach = SAME_SPOT if size < SAME_SPOT else min(SAME_SPOT, 0.02 * size)
    first, second = np.nonzero(np.triu(distances <= reach, k=1))
    if len(first):
        names = dataset.keypoint_names
        pairs = ", ".join(f"{names[known[a]]} = {names[known[b]]}" for a, b in zip(first, second, strict=True))
        is_everything = len(known) > 2 and len(first) == len(known) * (len(known) - 1) // 2
        yield _finding(dataset, person, "same_spot", pairs, is_certain=is_everything)


def limb_ratios(dataset: LabelledDataset) -> NDArray[np.float64]:
    """Return how long each limb is for its person (N, L): 1 is usual, NaN where a keypoint is not labelled.

    Lengths are divided by that limb's median over all people, and then by the person's median over the limbs, which
    one wrong keypoint does not move.
    """
    points = np.array([person.keypoints for person in dataset.people])  # (N, K, 2)
    starts, ends = (np.array([limb[end] for limb in dataset.limbs], dtype=int) for end in (0, 1))
    lengths = np.linalg.norm(points[:, starts] - points[:, ends], axis=2)
    lengths[lengths == 0] = np.nan
    usual = np.where(np.isfinite(lengths).sum(axis=0) >= MIN_LIMBS, _nanmedian(lengths, axis=0), np.nan)
    relative = lengths / usual
    enough = np.isfinite(relative).sum(axis=1) >= 3
    return relative / np.where(enough, _nanmedian(relative, axis=1), np.nan)[:, None]


def _nanmedian(values: NDArray[np.float64], *, axis: int) -> NDArray[np.float64]:
    """Return medians without NaN; NaN where all are, without NumPy's warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis))


def _check_limbs(dataset: LabelledDataset) -> Iterator[Finding]:
    if not dataset.limbs or len(dataset.people) < MIN_LIMBS:
        return
    logarithms = np.log(limb_ratios(dataset))
    middle = _nanmedian(logarithms, axis=0)
    # Of the longer half alone: foreshortening makes limbs short without limit, and nothing makes them long.
    longer = np.where(logarithms > middle, logarithms - middle, np.nan)
    spread = 1.4826 * np.maximum(_nanmedian(longer, axis=0), 0.05)
    scores = (logarithms - middle) / spread
    for index, limb in zip(*np.nonzero(scores > LONG_LIMB), strict=True):
        person, (start, end) = dataset.people[index], dataset.limbs[limb]
        detail = (
            f"{dataset.keypoint_names[start]} to {dataset.keypoint_names[end]} is "
            f"{np.exp(logarithms[index, limb] - middle[limb]):.1f} times as long as usual (z {scores[index, limb]:.1f})"
        )
        yield _finding(dataset, person, "long_limb", detail)


def check_duplicates(dataset: LabelledDataset) -> Iterator[Finding]:
    """Yield people annotated twice in an image, and keypoints copied from another image."""
    in_image: dict[str, list[LabelledPerson]] = defaultdict(list)
    first_with: dict[bytes, LabelledPerson] = {}
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
        first = first_with.setdefault(np.round(person.keypoints, 3).tobytes(), person)
        if first.image != person.image:
            detail = f"the very same coordinates as annotation {first.annotation} of {first.image}"
            yield _finding(dataset, person, "copied_keypoints", detail)


def keypoint_distance(person: LabelledPerson, other: LabelledPerson) -> float:
    """Return the mean distance of the keypoints that both have, per the larger one's size; infinite if too few."""
    shared = person.labelled & other.labelled
    size = max(person.size, other.size)
    if shared.sum() < MIN_SHARED or size == 0:
        return float("inf")
    return float(np.linalg.norm(person.keypoints[shared] - other.keypoints[shared], axis=1).mean() / size)
