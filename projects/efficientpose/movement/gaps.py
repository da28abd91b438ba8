"""Missing values between two seen ones, filled in where the gap is short.

Nothing is extrapolated: what lies before the first and after the last seen value stays missing. Nothing is looked up
across a gap that is too long either: what lies on its two sides is interpolated on its own.
"""

from itertools import pairwise
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from efficientpose.movement.recording import as_columns

Interpolation = Literal["linear", "pchip", "cubic"]
"""Straight lines; cubics that keep the shape and never overshoot (Fritsch and Carlson 1980); a smooth cubic spline."""

INTERPOLATIONS: Final[tuple[Interpolation, ...]] = get_args(Interpolation)


class Filled(NamedTuple):
    """Signals without their short gaps.

    Attributes:
        values: (T, ...), NaN where a value is still missing.
        is_filled: (T, ...) which values are interpolated rather than seen.
    """

    values: NDArray[np.float64]
    is_filled: NDArray[np.bool_]


def fill_gaps(
    values: NDArray[np.float64],
    seconds: NDArray[np.float64],
    *,
    max_gap: float,
    interpolation: Interpolation = "pchip",
) -> Filled:
    """Fill short gaps, each series on its own.

    Args:
        values: (T, ...) one series along the first axis for each place in the others; NaN where missing.
        seconds: (T,) when each frame is shown, rising.
        max_gap: The longest time between the two seen values at a gap's ends that is filled, in seconds. One missing
            frame at 25 frames a second is a gap of 0.08.
        interpolation: The curve through the seen values.

    Raises:
        ValueError: If the limit is not positive or there is no such curve.
    """
    if not max_gap > 0:
        raise ValueError(f"max_gap must be above 0 seconds, got {max_gap}")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"no interpolation {interpolation!r}: there are {', '.join(INTERPOLATIONS)}")
    columns = as_columns(values)
    for column in columns.T:
        _fill_series(column, seconds, max_gap, interpolation)
    filled = columns.reshape(values.shape)
    return Filled(filled, np.isfinite(filled) & ~np.isfinite(values))


def _fill_series(series: NDArray[np.float64], seconds: NDArray[np.float64], max_gap: float, curve: str) -> None:
    """Fill one (T,) series in place."""
    seen = np.flatnonzero(np.isfinite(series))
    if len(seen) < 2:
        return
    # A frame time is a rounded number: 0.24 - 0.16 is a little more than 0.08.
    is_long = np.diff(seconds[seen]) > max_gap * (1 + 1e-9)
    bounds = [0, *(np.flatnonzero(is_long) + 1).tolist(), len(seen)]
    for start, stop in pairwise(bounds):
        known = seen[start:stop]
        missing = np.setdiff1d(np.arange(known[0], known[-1]), known)
        if len(missing):
            series[missing] = _interpolate(seconds[known], series[known], seconds[missing], curve)


def _interpolate(
    times: NDArray[np.float64], values: NDArray[np.float64], wanted: NDArray[np.float64], curve: str
) -> NDArray[np.float64]:
    if curve == "linear":
        return np.interp(wanted, times, values)
    if curve == "pchip":
        return np.asarray(PchipInterpolator(times, values)(wanted))
    return np.asarray(CubicSpline(times, values)(wanted))
