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
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from efficientpose.movement.recording import as_columns, stretches

Irregular = Literal["resample", "refuse"]
IRREGULAR: Final[tuple[Irregular, ...]] = get_args(Irregular)

LONGEST_STEP = 3.5  # frame intervals: three lost frames in a row can be bridged; after more, the signal starts anew
TOLERANCE = 0.1  # of a frame interval: times rounded to milliseconds, as in many files, still count as even
SHORTEST_STRETCH = 9  # samples, below which scipy has too few to mirror at the ends of one second-order section
PADDING = 3  # shortest stretches mirrored at each end, as far as there is so much: after so long the ends are forgotten


class Smoothed(NamedTuple):
    """Low-passed signals.

    Attributes:
        values: (T, ...), NaN where they were missing.
        is_left: (T, ...) values in a stretch too short for the filter, which are as they were.
    """

    values: NDArray[np.float64]
    is_left: NDArray[np.bool_]


def butterworth(
    values: NDArray[np.float64],
    seconds: NDArray[np.float64],
    *,
    cutoff: float,
    order: int = 4,
    irregular: Irregular = "resample",
) -> Smoothed:
    """Filter each series on its own, each stretch between missing values on its own.

    A stretch also ends where the times jump by more than three and a half frame intervals. It must be longer than one
    period of the cut-off and than nine frames; a shorter one is left as it is.

    Args:
        values: (T, ...) one series along the first axis for each place in the others; NaN where missing.
        seconds: (T,) when each frame is shown, rising.
        cutoff: The frequency that keeps 1/√2 of its amplitude after both passes, in Hz, below half the frame rate.
        order: Of both passes together, even: 4 for the usual "fourth-order zero-lag" filter, two passes of order 2.
        irregular: What to do with a stretch whose frames are not evenly spaced to a tenth of the interval: "resample"
            puts it on an even grid by a cubic spline, filters it, and reads it at its own times again; "refuse" raises.

    Raises:
        ValueError: If the cut-off or the order is out of range, or the frames are uneven and ``irregular`` refuses.
    """
    if order < 2 or order % 2:
        raise ValueError(f"order must be even and 2 or more, half of it for each direction, got {order}")
    if not cutoff > 0:
        raise ValueError(f"cutoff must be above 0 Hz, got {cutoff}")
    if irregular not in IRREGULAR:
        raise ValueError(f"no way {irregular!r} to treat uneven frames: there are {', '.join(IRREGULAR)}")
    is_present = np.isfinite(values)
    if len(seconds) < 2:
        return Smoothed(values.copy(), is_present)
    interval = _frame_interval(seconds)
    sections = _design(cutoff, frame_rate=1 / interval, order=order)
    shortest = max(SHORTEST_STRETCH, math.ceil(1 / (cutoff * interval)))
    starts_anew = np.diff(seconds, prepend=seconds[0]) > LONGEST_STEP * interval
    columns, is_left = as_columns(values), np.zeros(as_columns(values).shape, dtype=np.bool_)
    for column, is_column_left in zip(columns.T, is_left.T, strict=True):
        for stretch in stretches(np.isfinite(column), starts_anew):
            times = seconds[stretch]
            grid = times if _is_even(times, interval) else _even_grid(times, interval, irregular)
            if len(grid) <= shortest:
                is_column_left[stretch] = True
                continue
            even = column[stretch] if grid is times else CubicSpline(times, column[stretch])(grid)
            smooth = sosfiltfilt(sections, even, padlen=min(len(grid) - 1, PADDING * shortest))
            column[stretch] = smooth if grid is times else CubicSpline(grid, smooth)(times)
    return Smoothed(columns.reshape(values.shape), is_left.reshape(values.shape))


def _design(cutoff: float, *, frame_rate: float, order: int) -> NDArray[np.float64]:
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


def _frame_interval(seconds: NDArray[np.float64]) -> float:
    """Return the mean step in seconds without those of lost frames: more precise than the median of rounded times."""
    steps = np.diff(seconds)
    middle = np.quantile(steps, 0.5, method="lower")  # a step that there is: between 1 and 3 frames may lie none
    return float(steps[np.abs(steps / middle - 1) < 0.5].mean())


def _is_even(times: NDArray[np.float64], interval: float) -> bool:
    deviations = times - np.arange(len(times)) * interval
    return bool(np.ptp(deviations) <= 2 * TOLERANCE * interval)


def _even_grid(times: NDArray[np.float64], interval: float, irregular: str) -> NDArray[np.float64]:
    """Return evenly spaced times from the first to the last, as near to ``interval`` apart as that allows."""
    if irregular == "refuse":
        steps = np.diff(times)
        place = int(np.argmax(np.abs(steps - interval)))
        raise ValueError(
            f"frames are not evenly spaced: {1000 * steps[place]:.1f} ms after {times[place]:.3f} s, "
            f"{1000 * interval:.1f} ms elsewhere; irregular='resample' puts them on an even grid"
        )
    return np.linspace(times[0], times[-1], round((times[-1] - times[0]) / interval) + 1)
