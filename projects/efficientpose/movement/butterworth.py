"""The zero-lag Butterworth low-pass of biomechanics: once forwards, once backwards.

Winter, "Biomechanics and Motor Control of Human Movement" (4th edition, section 3.4.4): a filter of half the order runs
over the signal in both directions, so that the delays cancel. Two passes weaken the cut-off frequency twice, to 1/2
instead of 1/√2; the cut-off of each pass is therefore moved up. With n the order of one pass, F the frame rate and

    C = (√2 − 1)^(1 / 2n),   0.802 for n = 2,

each pass is designed for tan(π cutoff / F) / C instead of tan(π cutoff / F): the correction belongs to the warped
frequency, not to the one in Hz. A sine of frequency f then keeps the share

    1 / (1 + (C tan(π f / F) / tan(π cutoff / F))^2n)

of its amplitude, which is 1/√2 at the cut-off, and none of it is shifted in time.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from efficientpose.movement.recording import Floats, as_columns, stretches

LONGEST_STEP = 3.5  # frame intervals: three lost frames in a row can be bridged; after more, the signal starts anew
TOLERANCE = 0.1  # of a frame interval: times rounded to milliseconds, as in many files, still count as even
SHORTEST_STRETCH = 9  # samples; of fewer, SciPy has too few to mirror at the ends of one second-order section
PADDING = 3  # shortest stretches mirrored at each end, as far as there are so many: then the ends are forgotten


class Smoothed(NamedTuple):
    """Low-passed signals.

    Attributes:
        values: (T, ...), NaN where they were missing.
        is_unsmoothed: (T, ...) values in a stretch too short for the filter, which are as they were.
    """

    values: Floats
    is_unsmoothed: NDArray[np.bool_]


def butterworth(values: Floats, seconds: Floats, *, cutoff: float, order: int = 4) -> Smoothed:
    """Filter each series on its own, each stretch between missing values on its own.

    A stretch also ends where the times jump by more than three and a half frame intervals. It must be longer than one
    period of the cut-off and than nine frames; a shorter one stays as it is. A stretch whose frames are not evenly
    spaced to a tenth of the interval is put on an even grid by a cubic spline, filtered, and read at its own times.

    Args:
        values: (T, ...) one series along the first axis for each place in the others; NaN where missing.
        seconds: (T,) when each frame is shown, rising.
        cutoff: The frequency that keeps 1/√2 of its amplitude after both passes, in Hz, below half the frame rate.
        order: Of both passes together, even: 4 for the usual "fourth-order zero-lag" filter, two passes of order 2.

    Raises:
        ValueError: If the cut-off or the order is out of range.
    """
    if order < 2 or order % 2:
        raise ValueError(f"order must be even and 2 or more, half of it for each direction, got {order}")
    if not cutoff > 0:
        raise ValueError(f"cutoff must be above 0 Hz, got {cutoff}")
    if len(seconds) < 2:
        return Smoothed(values.copy(), np.isfinite(values))
    interval = _frame_interval(seconds)
    sections = _design(cutoff, frame_rate=1 / interval, order=order)
    shortest = max(SHORTEST_STRETCH, math.ceil(1 / (cutoff * interval)))
    starts_anew = np.diff(seconds, prepend=seconds[0]) > LONGEST_STEP * interval
    columns = as_columns(values)
    is_unsmoothed = np.zeros(columns.shape, dtype=np.bool_)
    for number, column in enumerate(columns.T):
        for stretch in stretches(np.isfinite(column), starts_anew):
            times = seconds[stretch]
            grid = _even_grid(times, interval)
            if len(grid) <= shortest:
                is_unsmoothed[stretch, number] = True
                continue
            even = column[stretch] if grid is times else CubicSpline(times, column[stretch])(grid)
            smooth = sosfiltfilt(sections, even, padlen=min(len(grid) - 1, PADDING * shortest))
            column[stretch] = smooth if grid is times else CubicSpline(grid, smooth)(times)
    return Smoothed(columns.reshape(values.shape), is_unsmoothed.reshape(values.shape))


def _design(cutoff: float, *, frame_rate: float, order: int) -> Floats:
    """Return the second-order sections of one of the two passes, its cut-off moved up for the other."""
    if cutoff >= frame_rate / 2:
        raise ValueError(
            f"cutoff {cutoff:g} Hz must lie below {frame_rate / 2:g} Hz, half of the {frame_rate:g} frames a second"
        )
    pass_order = order // 2
    correction = (math.sqrt(2) - 1) ** (1 / (2 * pass_order))
    warped = math.tan(math.pi * cutoff / frame_rate) / correction
    pass_cutoff = math.atan(warped) * frame_rate / math.pi
    return np.asarray(butter(pass_order, pass_cutoff, fs=frame_rate, output="sos"))


def _frame_interval(seconds: Floats) -> float:
    """Return the mean step in seconds without those of lost frames: more precise than the median of rounded times."""
    steps = np.diff(seconds)
    middle = np.quantile(steps, 0.5, method="lower")  # lower median: an actual step, never the mean of two
    return float(steps[np.abs(steps / middle - 1) < 0.5].mean())


def _even_grid(times: Floats, interval: float) -> Floats:
    """Return evenly spaced times from the first to the last, about ``interval`` apart; the same array if they are."""
    deviations = times - np.arange(len(times)) * interval
    if np.ptp(deviations) <= 2 * TOLERANCE * interval:
        return times
    return np.linspace(times[0], times[-1], round((times[-1] - times[0]) / interval) + 1)
