"""Flip test: averaging the network's output with its output for the mirrored image."""

from collections.abc import Sequence

import numpy as np


def average_mirrored(heatmaps: np.ndarray, mirrored: np.ndarray, *, flip_indices: Sequence[int]) -> np.ndarray:
    """Return the mean of heatmaps (..., K, h, w) and those of the mirrored image, mirrored back."""
    average: np.ndarray = (heatmaps + mirrored[..., list(flip_indices), :, ::-1]) / 2
    return average


def average_mirrored_pafs(
    pafs: np.ndarray, mirrored: np.ndarray, *, limbs: Sequence[tuple[int, int]], flip_indices: Sequence[int]
) -> np.ndarray:
    """Return the mean of part affinity fields (..., 2L, h, w) and those of the mirrored image, mirrored back."""
    average: np.ndarray = (pafs + mirror_pafs(mirrored, limbs=limbs, flip_indices=flip_indices)) / 2
    return average


def mirror_pafs(pafs: np.ndarray, *, limbs: Sequence[tuple[int, int]], flip_indices: Sequence[int]) -> np.ndarray:
    """Mirror part affinity fields (..., 2L, h, w): sides swapped, x components negated.

    Raises:
        ValueError: If a limb has no counterpart on the other side.
    """
    known = [tuple(limb) for limb in limbs]
    opposite = [(flip_indices[proximal], flip_indices[distal]) for proximal, distal in known]
    if not set(opposite) <= set(known):
        raise ValueError(f"limbs {known} are not the same on both sides; leave out the flip test")
    fields = pafs.reshape(*pafs.shape[:-3], len(known), 2, *pafs.shape[-2:])  # (..., L, 2, h, w)
    fields = fields[..., [known.index(limb) for limb in opposite], :, :, ::-1]
    return (fields * np.array((-1, 1), pafs.dtype)[:, None, None]).reshape(pafs.shape)
