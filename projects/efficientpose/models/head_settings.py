"""Checks of what a head is told about limbs, keypoints and passes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def check_limbs(limbs: Sequence[tuple[int, int]], *, num_limbs: int, num_keypoints: int) -> None:
    """Check that a decoder's limbs are as many as the head's and join keypoints that it has.

    Raises:
        ValueError: If not.
    """
    if len(limbs) != num_limbs:
        raise ValueError(f"num_limbs is {num_limbs}, but the decoder has {len(limbs)} limbs")
    if not all(0 <= joint < num_keypoints for limb in limbs for joint in limb):
        raise ValueError(f"the decoder's limbs must join keypoints 0 to {num_keypoints - 1}, got {limbs}")


def read_keypoint_weights(weights: Sequence[float] | None, *, num_keypoints: int) -> Tensor:
    """Return (K,) weights.

    Raises:
        ValueError: If there are not as many as keypoints, or one is negative or not finite, or all are 0.
    """
    read = torch.ones(num_keypoints) if weights is None else torch.tensor(weights, dtype=torch.float32)
    if read.shape != (num_keypoints,) or not read.isfinite().all() or read.min() < 0 or read.max() == 0:
        raise ValueError(f"keypoint_weights must be {num_keypoints} numbers of at least 0, not all 0, got {weights}")
    return read


def read_pass_weights(weights: float | Sequence[float], *, num_passes: int) -> tuple[float, ...]:
    """Return one weight for each heatmap pass; a number alone is that of every pass.

    Raises:
        ValueError: If there are not as many as passes, or one is negative or not finite.
    """
    read = (weights,) * num_passes if isinstance(weights, (int, float)) else tuple(weights)
    if len(read) != num_passes:
        raise ValueError(
            f"heatmap_weight has {len(read)} numbers, but the head has {num_passes} heatmap passes: give one for each "
            "pass, or a single number for all"
        )
    if not all(math.isfinite(weight) and weight >= 0 for weight in read):
        raise ValueError(f"heatmap_weight must be of at least 0 and finite, got {weights}")
    return read
