"""How large a person is in the picture: the unit in which jumps are judged."""

import numpy as np
from numpy.typing import NDArray


def person_size(keypoints: NDArray[np.float64]) -> float:
    """Return the diagonal of the region that the keypoints span, the median's over the frames, in pixels.

    Args:
        keypoints: (T, K, 2), NaN where there are none.

    Returns:
        NaN if no frame has a keypoint.
    """
    is_seen = np.isfinite(keypoints).all(axis=2)
    frames = keypoints[is_seen.any(axis=1)]
    if not len(frames):
        return float("nan")
    extents = np.nanmax(frames, axis=1) - np.nanmin(frames, axis=1)
    return float(np.median(np.hypot(extents[:, 0], extents[:, 1])))
