"""Score data sets with other keypoints than MPII's by those that both have."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efficientpose.skeleton import KEYPOINT_NAMES, NUM_KEYPOINTS


def as_mpii(values: NDArray[Any], names: Sequence[str], *, absent: float) -> NDArray[Any]:
    """Return a row for each of MPII's keypoints, by name; those that MPII does not have are left out.

    Args:
        values: (K, ...).
        names: K of them.
        absent: What stands in the rows of keypoints that are not among the names.
    """
    rows = np.full((NUM_KEYPOINTS, *values.shape[1:]), absent, dtype=values.dtype)
    for name, value in zip(names, values, strict=True):
        if name in KEYPOINT_NAMES:
            rows[KEYPOINT_NAMES.index(name)] = value
    return rows
