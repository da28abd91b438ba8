"""Similarity of poses (OKS) and of bounding boxes (IoU)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import KEYPOINT_NAMES

Floats = NDArray[np.floating]

_SPREADS: Final = {
    **{"ankle": 0.089, "knee": 0.087, "hip": 0.107, "wrist": 0.062, "elbow": 0.072, "shoulder": 0.079},
    **{"pelvis": 0.107, "thorax": 0.079, "upper_neck": 0.079, "head_top": 0.079},
    **{"nose": 0.026, "eye": 0.025, "ear": 0.035},
}
"""COCO's, per square root of the person's area; keypoints that COCO lacks have those of hips or shoulders."""

UNKNOWN_SPREAD: Final = 0.079


def keypoint_spreads(names: tuple[str, ...] = KEYPOINT_NAMES) -> NDArray[np.float64]:
    """Return the annotators' standard deviation of each keypoint, per square root of the person's area, (K,)."""
    bare = (name.removeprefix("left_").removeprefix("right_") for name in names)
    return np.array([_SPREADS.get(name, UNKNOWN_SPREAD) for name in bare])


def boxes_around(keypoints: Floats) -> NDArray[np.float64]:
    """Return the boxes (N, 4) around people's keypoints (N, K, 2), NaN where there is none; NaN without keypoints."""
    there = np.isfinite(keypoints).all(axis=2)[..., None]
    low = np.where(there, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(there, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(there.any(axis=(1, 2))[:, None], np.concatenate((low, high), axis=1), np.nan)


def box_areas(boxes: Floats) -> Floats:
    """Return the area of boxes (..., 4), pixels²."""
    areas: Floats = np.multiply(boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1])
    return areas


def oks(first: Floats, second: Floats, *, areas: Floats, spreads: Floats, min_common: int = 1) -> NDArray[np.float64]:
    """Return COCO's object keypoint similarity of each pair, (A, B) from 0 to 1, over the keypoints that both have.

    Args:
        first: (A, K, 2); NaN where there is none.
        second: (B, K, 2).
        areas: Areas of the people, pixels²; of a shape that broadcasts with (A, B).
        spreads: (K,), see :func:`keypoint_spreads`.
        min_common: Pairs with fewer common keypoints have the similarity 0.
    """
    squares = ((first[:, None] - second[None]) ** 2).sum(axis=3)
    is_common = np.isfinite(squares)
    reach = 2 * np.maximum(np.asarray(areas, float), 1.0)[..., None] * (2 * spreads) ** 2
    likeness = np.where(is_common, np.exp(-np.where(is_common, squares, 0) / reach), 0)
    count = is_common.sum(axis=2)
    return np.where(count >= min_common, likeness.sum(axis=2) / np.maximum(count, 1), 0)


def box_overlaps(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Return intersection over union of each pair of boxes (A, 4) and (B, 4); 0 where one is NaN or empty."""
    intersection = _intersections(first, second)
    return _shares(intersection, box_areas(first)[:, None] + box_areas(second)[None] - intersection)


def box_shares_inside(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Return the share of each box (A, 4) inside each of (B, 4), (A, B); 0 where one is NaN or the first empty."""
    intersection = _intersections(first, second)
    return _shares(intersection, np.broadcast_to(box_areas(first)[:, None], intersection.shape))


def _intersections(first: Floats, second: Floats) -> Floats:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)


def _shares(parts: Floats, wholes: Floats) -> NDArray[np.float64]:
    is_usable = np.isfinite(parts) & np.isfinite(wholes) & (wholes > 0)
    return np.where(is_usable, parts / np.where(is_usable, wholes, 1), 0)


def keep_distinct(is_duplicate: NDArray[np.bool_]) -> list[int]:
    """Return the indices that duplicate no better one that is kept, of pairs (N, N) sorted best first."""
    kept: list[int] = []
    for index, duplicates in enumerate(is_duplicate):
        if not duplicates[kept].any():
            kept.append(index)
    return kept
