"""Short gaps between two seen values, filled in.

Nothing is extrapolated: what lies before the first and after the last seen value stays missing. A gap that is too long
splits a series in two, each of which is interpolated on its own.
"""

from itertools import pairwise
from typing import Final, Literal, get_args

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from efficientpose.movement.recording import Floats, as_columns

Interpolation = Literal["linear", "pchip", "cubic"]
"""Straight lines; cubics that keep the shape and never overshoot (Fritsch and Carlson 1980); a smooth cubic spline."""

INTERPOLATIONS: Final[tuple[Interpolation, ...]] = get_args(Interpolation)


def fill_gaps(values: Floats, seconds: Floats, *, max_gap: float, interpolation: Interpolation = "pchip") -> Floats:
    """Fill short gaps, each series on its own; what is still missing stays NaN.

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
    for series in columns.T:
        seen = np.flatnonzero(np.isfinite(series))
        # Frame times are rounded numbers: 0.24 - 0.16 is a little more than 0.08.
        is_long = np.diff(seconds[seen]) > max_gap * (1 + 1e-9)
        for start, stop in pairwise([0, *(np.flatnonzero(is_long) + 1).tolist(), len(seen)]):
            known = seen[start:stop]
            missing = np.setdiff1d(np.arange(known[0], known[-1]), known) if len(known) else known
            if len(missing):
                series[missing] = _interpolate(seconds[known], series[known], seconds[missing], interpolation)
    return columns.reshape(values.shape)


def _interpolate(times: Floats, values: Floats, wanted: Floats, curve: Interpolation) -> Floats:
    if curve == "linear":
        return np.interp(wanted, times, values)
    spline = PchipInterpolator if curve == "pchip" else CubicSpline
    return np.asarray(spline(times, values)(wanted))
