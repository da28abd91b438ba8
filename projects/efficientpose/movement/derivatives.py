"""How fast keypoints move and speed up. Differences amplify noise: filter first."""

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.stretches import as_columns, stretches


def derivative(values: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the change per second by central differences, exact for parabolas also at uneven times.

    At the ends of a stretch between missing values the difference is one-sided; a value alone has none (NaN).

    Args:
        values: (T, ...) one series along the first axis for each place in the others; NaN where missing.
        seconds: (T,) rising.
    """
    columns = as_columns(values)
    for column in columns.T:
        for stretch in stretches(np.isfinite(column)):
            num_values = stretch.stop - stretch.start
            if num_values == 1:
                column[stretch] = np.nan
            else:
                column[stretch] = np.gradient(column[stretch], seconds[stretch], edge_order=min(2, num_values - 1))
    return columns.reshape(values.shape)


def velocity(
    keypoints: NDArray[np.float64], seconds: NDArray[np.float64], *, metres_per_pixel: float = 1.0
) -> NDArray[np.float64]:
    """Return (T, K, 2) metres per second to the right and **upwards**; pixels per second where no scale is given."""
    return derivative(keypoints, seconds) * np.array([metres_per_pixel, -metres_per_pixel])


def speed(
    keypoints: NDArray[np.float64], seconds: NDArray[np.float64], *, metres_per_pixel: float = 1.0
) -> NDArray[np.float64]:
    """Return (T, K) how fast each keypoint moves, in metres (or pixels) per second."""
    towards = velocity(keypoints, seconds, metres_per_pixel=metres_per_pixel)
    return np.asarray(np.hypot(towards[..., 0], towards[..., 1]))


def acceleration(
    keypoints: NDArray[np.float64], seconds: NDArray[np.float64], *, metres_per_pixel: float = 1.0
) -> NDArray[np.float64]:
    """Return (T, K, 2) metres (or pixels) per second squared, to the right and upwards."""
    return derivative(velocity(keypoints, seconds, metres_per_pixel=metres_per_pixel), seconds)
