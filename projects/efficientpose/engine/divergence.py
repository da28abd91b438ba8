"""When a training loss has diverged, and up to which learning rate it did not.

A loss falls and grows by factors, so it is smoothed in its logarithm: by an exponential moving average, corrected for
its start at zero. Its value at a step stands for the loss some steps earlier, the mean age of what it averages.
"""

import math
import sys
from typing import NamedTuple

import numpy as np

TURN_FACTOR = 1.2
"""A smoothed loss that has risen by this factor rises for good: batches alone move it by a few hundredths."""

WINDOW_SHARE = 0.03
MIN_WINDOW = 5


def window_for(num_steps: int) -> int:
    """Return over how many steps to smooth a run of ``num_steps``."""
    return max(MIN_WINDOW, round(WINDOW_SHARE * num_steps))


class LossWatch:
    """Smooth a loss step by step and tell when it has diverged.

    It has, once it is not finite or the smoothed loss reaches ``divergence_factor`` times its lowest value. The first
    ``window`` steps do not count as lowest: the average has not settled.

    Args:
        window: 1 / (1 - decay) of the moving average, in steps.
        divergence_factor: Above 1.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        losses: As given.
        smoothed: Beside each loss; infinite where the loss is not finite.
    """

    def __init__(self, *, window: int, divergence_factor: float) -> None:
        if window < 1 or not divergence_factor > 1:
            raise ValueError(
                f"window must be at least 1 and the divergence factor above 1, got {window} and {divergence_factor}"
            )
        self.window = window
        self.divergence_factor = divergence_factor
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._average = 0.0

    def add(self, loss: float) -> None:
        """Take the next step's loss.

        Raises:
            ValueError: If it is negative.
        """
        if loss < 0:
            raise ValueError(f"step {len(self.losses)} has a loss of {loss}: only a positive loss can be followed")
        self.losses.append(loss)
        if not math.isfinite(loss):
            self.smoothed.append(math.inf)
            return
        decay = 1 - 1 / self.window
        self._average = decay * self._average + (1 - decay) * math.log(max(loss, sys.float_info.min))
        self.smoothed.append(math.exp(self._average / (1 - decay ** len(self.losses))))

    @property
    def diverged(self) -> bool:
        """Whether the loss has diverged by the last step."""
        if not self.smoothed or not math.isfinite(self.smoothed[-1]):
            return bool(self.smoothed)
        settled = self.smoothed[self.window :]
        return bool(settled) and settled[-1] >= self.divergence_factor * min(settled)


class RangeCurve(NamedTuple):
    """What a range test measured.

    Attributes:
        rates: λ of each step, ascending.
        losses: Beside each rate.
        smoothed: Likewise; infinite where the loss is not finite.
        max_rate: λmax.
        diverged: Whether the loss has diverged at the last rate.
        divergence_factor: By which the loss counts as diverged.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    max_rate: float
    diverged: bool
    divergence_factor: float


def read_range(rates: list[float], watch: LossWatch) -> RangeCurve:
    """Find λmax: the highest rate before the smoothed loss rises by :data:`TURN_FACTOR` over its lowest.

    That is where divergence begins: from there on, the steps undo more than they gain. The rate of the lowest loss
    itself would be too low, for the valley is flat; the rate at which the loss has exploded too high, for that takes
    steps, and the rate has risen meanwhile. For the same reason the age of the average is taken off. What counts is the
    *first* rise, since an adaptive optimiser may recover and pass through a second, useless valley.

    Args:
        rates: λ of each step that ``watch`` saw.
        watch: With the losses.

    Raises:
        ValueError: If the loss never rose, or rose from the start.
    """
    smoothed = np.array(watch.smoothed)
    lowest = np.minimum.accumulate(np.where(np.arange(len(smoothed)) < watch.window, np.inf, smoothed))
    with np.errstate(invalid="ignore"):
        risen = np.flatnonzero((smoothed >= TURN_FACTOR * lowest) | ~np.isfinite(smoothed))
    if not len(risen):
        raise ValueError(
            f"the loss has not risen by a factor of {TURN_FACTOR} up to a rate of {rates[-1]:.3g}: "
            "λmax lies higher, so raise the highest rate"
        )
    if np.argmin(lowest[: risen[0] + 1]) <= watch.window:
        raise ValueError(
            f"the loss rises from the start, at a rate of {rates[0]:.3g}: λmax lies lower, so lower the lowest rate"
        )
    return RangeCurve(
        rates=rates,
        losses=watch.losses,
        smoothed=watch.smoothed,
        max_rate=rates[risen[0] - (watch.window - 1) - 1],
        diverged=watch.diverged,
        divergence_factor=watch.divergence_factor,
    )


def round_down(rate: float, *, digits: int = 2) -> float:
    """Return ``rate`` rounded down to some significant digits."""
    unit = 10.0 ** (math.floor(math.log10(rate)) + 1 - digits)
    return float(f"{math.floor(rate / unit * (1 + 1e-12)) * unit:.{digits}g}")
