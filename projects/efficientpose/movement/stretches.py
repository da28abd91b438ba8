"""Where a signal is there without a break."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def stretches(is_present: NDArray[np.bool_], starts_anew: NDArray[np.bool_] | None = None) -> list[slice]:
    """Return the longest runs of frames that are present.

    Args:
        is_present: (T,) whether there is a value.
        starts_anew: (T,) frames that begin a new run even where the one before is present; None for none.
    """
    if not len(is_present):
        return []
    changes = is_present[1:] != is_present[:-1]
    if starts_anew is not None:
        changes = changes | starts_anew[1:]
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(is_present)]
    return [slice(start, stop) for start, stop in pairwise(bounds) if is_present[start]]


def as_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (T, ...) values as a (T, N) copy, one series a column; it works for no frames too."""
    return values.reshape(len(values), int(np.prod(values.shape[1:]))).copy()
