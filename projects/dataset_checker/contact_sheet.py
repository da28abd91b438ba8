"""Many annotated people in one image: the right side orange, the left blue, the midline white."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_checker.annotations import Finding, LabelledDataset, LabelledPerson
from efficientpose.core.drawing import MIDDLE_COLOUR, draw_poses, side_colour
from efficientpose.core.images import ImageError, read_image
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import Limb, Skeleton

TILE_SIDE = 240
CAPTION_HEIGHT = 34
MARGIN = 0.15


def choose_people(
    dataset: LabelledDataset, findings: Sequence[Finding], *, num_people: int, seed: int, only_suspicious: bool
) -> list[LabelledPerson]:
    """Choose people at random, in the file's order: with a keypoint, or, of these, with a finding; at least 1."""
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
    """Draw people on their images, or on grey if absent, with file name, id and findings: (H, W, 3) uint8, BGR."""
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
    known = person.keypoints[person.labelled]
    low, high = known.min(axis=0), known.max(axis=0)
    side = max(float((high - low).max()), 16.0) * (1 + 2 * MARGIN)
    corner = (low + high) / 2 - side / 2
    scale = TILE_SIDE / side
    # Pixel centres: index x of the image goes to (x - corner) * scale.
    matrix = np.array(((scale, 0, -corner[0] * scale), (0, scale, -corner[1] * scale)))
    tile: np.ndarray = np.full((TILE_SIDE, TILE_SIDE, 3), 112, np.uint8)
    with contextlib.suppress(ImageError):
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        tile = cv2.warpAffine(read_image(folder / person.image), matrix, (TILE_SIDE, TILE_SIDE), flags=interpolation)
    scores = person.labelled[:, None].astype(float)
    keypoints = np.hstack((np.nan_to_num((person.keypoints - corner) * scale), scores))  # (K, 3)
    tile = draw_poses(tile, (Pose(bbox=np.zeros(4), keypoints=keypoints),), skeleton=_skeleton_of(dataset))
    return _with_caption(tile, f"{person.image[-26:]} #{person.annotation}", ", ".join(reasons))


def _skeleton_of(dataset: LabelledDataset) -> Skeleton:
    """Return the skeleton with limbs that end at a side where they can: their end gives the colour."""
    names = dataset.keypoint_names
    limbs = tuple(Limb(b, a) if side_colour(names[b]) == MIDDLE_COLOUR else Limb(a, b) for a, b in dataset.limbs)
    return Skeleton(names, limbs, flip_indices=())


def _with_caption(tile: NDArray[np.uint8], *lines: str) -> NDArray[np.uint8]:
    caption = np.full((CAPTION_HEIGHT, tile.shape[1], 3), 20, np.uint8)
    for number, line in enumerate(lines):
        colour = MIDDLE_COLOUR if number == 0 else (80, 200, 255)
        cv2.putText(caption, line, (4, 13 + 15 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
    return np.vstack((caption, tile))
