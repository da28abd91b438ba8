"""Many annotated people in one image: the right side orange, the left blue, the midline white."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import Finding, LabelledDataset, LabelledPerson
from efficientpose.core.drawing import MIDDLE_COLOUR, RIM_COLOUR, side_colour
from efficientpose.core.images import ImageError, read_image

TILE_SIDE = 240
CAPTION_HEIGHT = 34
MARGIN = 0.15
_SUBPIXEL_BITS = 4


def choose_people(
    dataset: LabelledDataset, findings: Sequence[Finding], *, num_people: int, seed: int, only_suspicious: bool
) -> list[LabelledPerson]:
    """Choose people at random, in the file's order: those with a keypoint, or, of these, with a finding.

    Raises:
        ValueError: If the number is below 1.
    """
    if num_people < 1:
        raise ValueError(f"the number of people to draw must be at least 1, got {num_people}")
    suspicious = {str(finding.annotation) for finding in findings if finding.annotation is not None}
    candidates = [
        person
        for person in dataset.people
        if person.labelled.any() and (not only_suspicious or str(person.annotation) in suspicious)
    ]
    chosen = np.random.default_rng(seed).permutation(len(candidates))[:num_people]
    return [candidates[index] for index in sorted(chosen)]


def draw_sheet(
    dataset: LabelledDataset, people: Sequence[LabelledPerson], folder: Path, findings: Sequence[Finding]
) -> NDArray[np.uint8]:
    """Draw people on their images, or on grey if absent, with the image's name, the annotation and the findings.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        reasons.setdefault(str(finding.annotation), []).append(finding.reason)
    tiles = [
        _draw_tile(dataset, person, folder, sorted(set(reasons.get(str(person.annotation), [])))) for person in people
    ]
    if not tiles:
        return _with_caption(np.full((TILE_SIDE, TILE_SIDE, 3), 112, np.uint8), "no people to draw", "")
    num_columns = int(np.ceil(np.sqrt(len(tiles))))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % num_columns)
    return np.vstack([np.hstack(tiles[start : start + num_columns]) for start in range(0, len(tiles), num_columns)])


def _draw_tile(
    dataset: LabelledDataset, person: LabelledPerson, folder: Path, reasons: Sequence[str]
) -> NDArray[np.uint8]:
    try:
        image = read_image(folder / person.image)
    except ImageError:
        image = None
    known = person.keypoints[person.labelled]
    low, high = known.min(axis=0), known.max(axis=0)
    side = max(float((high - low).max()), 16.0) * (1 + 2 * MARGIN)
    corner = (low + high) / 2 - side / 2
    scale = TILE_SIDE / side
    # Pixel centres: index x of the image goes to (x - corner) * scale.
    matrix = np.array(((scale, 0, -corner[0] * scale), (0, scale, -corner[1] * scale)))
    if image is None:
        tile = np.full((TILE_SIDE, TILE_SIDE, 3), 112, np.uint8)
    else:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        tile = np.asarray(cv2.warpAffine(image, matrix, (TILE_SIDE, TILE_SIDE), flags=interpolation), np.uint8)
    draw_person(tile, (person.keypoints - corner) * scale, dataset.keypoint_names, dataset.limbs)
    return _with_caption(tile, f"{person.image[-26:]} #{person.annotation}", ", ".join(reasons))


def draw_person(
    canvas: NDArray[np.uint8],
    keypoints: NDArray[np.float64],
    names: Sequence[str],
    limbs: Sequence[tuple[int, int]],
) -> None:
    """Draw any skeleton onto an image.

    Args:
        canvas: (H, W, 3) uint8, BGR; changed.
        keypoints: (K, 2) pixels of the canvas, NaN where not labelled.
        names: K, which tell the side.
        limbs: Pairs of keypoint indices; one between a side and the midline has the side's colour.
    """
    known = np.isfinite(keypoints).all(axis=1)
    places = np.where(known[:, None], np.clip(np.nan_to_num(keypoints), -1e4, 1e4), 0)
    fixed = [tuple(int(value) for value in place) for place in np.round(places * (1 << _SUBPIXEL_BITS))]
    shift = dict(lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    drawn = [(start, end) for start, end in limbs if known[start] and known[end]]
    for thickness, is_rim in ((5, True), (2, False)):
        for start, end in drawn:
            colours = [side_colour(names[joint]) for joint in (start, end)]
            colour = colours[0] if colours[1] == MIDDLE_COLOUR else colours[1]
            cv2.line(canvas, fixed[start], fixed[end], RIM_COLOUR if is_rim else colour, thickness, **shift)
    for index in np.flatnonzero(known):
        for radius, colour in ((5, RIM_COLOUR), (3, side_colour(names[index]))):
            cv2.circle(canvas, fixed[index], radius << _SUBPIXEL_BITS, colour, cv2.FILLED, **shift)


def _with_caption(tile: NDArray[np.uint8], *lines: str) -> NDArray[np.uint8]:
    caption = np.full((CAPTION_HEIGHT, tile.shape[1], 3), 20, np.uint8)
    for number, line in enumerate(lines):
        colour = MIDDLE_COLOUR if number == 0 else (80, 200, 255)
        cv2.putText(caption, line, (4, 13 + 15 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
    return np.vstack((caption, tile))
