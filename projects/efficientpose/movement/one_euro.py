"""The One-Euro filter: a first-order low-pass that opens up when the signal moves fast.

Casiez, Roussel, Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems",
CHI 2012, Algorithm 1. With T the time since the last sample, x the sample, x̂ what the filter gives:

    α(f, T) = 1 / (1 + 1 / (2π f T))
    ẋ = (x − x̂ of the last sample) / T,              0 at the first sample
    ẋ̂ = α(derivative_cutoff, T) ẋ + (1 − α) ẋ̂ of the last sample
    f = min_cutoff + beta |ẋ̂|
    x̂ = α(f, T) x + (1 − α) x̂ of the last sample,   x at the first sample

It looks back only, so it can run live, and it lags: at rest by about 1 / (2π min_cutoff) seconds.
"""

import numpy as np

from efficientpose.movement.recording import Floats


class OneEuroFilter:
    """Filters arrays of numbers, each on its own, one sample at a time.

    A missing number (NaN) stays missing and leaves its filter as it was; the next one counts the time from the last
    that was seen. Samples may come at any rate.

    Attributes:
        min_cutoff: The cut-off at rest, in Hz: lower is smoother and lags more.
        beta: Hz that the cut-off gains for each unit per second of speed: higher lags less in fast movement. For
            pixels it depends on the person's size: twice as many pixels, half the beta.
        derivative_cutoff: The cut-off for the speed, in Hz.

    Raises:
        ValueError: If a cut-off is not positive or beta is negative.
    """

    def __init__(self, *, min_cutoff: float = 1.0, beta: float = 0.007, derivative_cutoff: float = 1.0) -> None:
        if not (min_cutoff > 0 and derivative_cutoff > 0 and beta >= 0):
            raise ValueError(
                "min_cutoff and derivative_cutoff must be above 0 Hz and beta 0 or more, got "
                f"{min_cutoff}, {derivative_cutoff} and {beta}"
            )
        self.min_cutoff, self.beta, self.derivative_cutoff = min_cutoff, beta, derivative_cutoff
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._seconds = -np.inf
        self._last: Floats | None = None

    def __call__(self, values: Floats, *, seconds: float) -> Floats:
        """Take one sample, of the same shape in every call, and return it filtered.

        Raises:
            ValueError: If the time does not rise or the shape changes.
        """
        values = np.asarray(values, dtype=np.float64)
        if not seconds > self._seconds:
            raise ValueError(f"samples must come in order of time: {seconds} s after {self._seconds} s")
        if self._last is None:
            self._last = np.full(values.shape, np.nan)
            self._speed = np.zeros(values.shape)
            self._last_seconds = np.full(values.shape, seconds)
        if values.shape != self._last.shape:
            raise ValueError(f"samples must keep their shape: {values.shape} after {self._last.shape}")
        self._seconds = seconds
        is_present, is_first = np.isfinite(values), ~np.isfinite(self._last)
        period = np.where(is_first, 1.0, seconds - self._last_seconds)
        speed = np.where(is_first, 0.0, (values - self._last) / period)
        speed = _low_pass(speed, self._speed, cutoff=self.derivative_cutoff, period=period)
        cutoff = self.min_cutoff + self.beta * np.abs(speed)
        filtered = np.where(is_first, values, _low_pass(values, self._last, cutoff=cutoff, period=period))
        self._last = np.where(is_present, filtered, self._last)
        self._speed = np.where(is_present, speed, self._speed)
        self._last_seconds = np.where(is_present, seconds, self._last_seconds)
        return np.where(is_present, filtered, np.nan)


def _low_pass(values: Floats, last: Floats, *, cutoff: float | Floats, period: Floats) -> Floats:
    share = 1 / (1 + 1 / (2 * np.pi * cutoff * period))  # α, of the new sample
    return share * values + (1 - share) * last


def one_euro(
    values: Floats, seconds: Floats, *, min_cutoff: float = 1.0, beta: float = 0.007, derivative_cutoff: float = 1.0
) -> Floats:
    """Filter (T, ...) values at their (T,) rising times as ``OneEuroFilter``, with its settings, would have live.

    Raises:
        ValueError: If a setting is out of range or the times do not rise.
    """
    sample_filter = OneEuroFilter(min_cutoff=min_cutoff, beta=beta, derivative_cutoff=derivative_cutoff)
    filtered = np.empty(values.shape)
    for number, (sample, second) in enumerate(zip(values, seconds, strict=True)):
        filtered[number] = sample_filter(sample, seconds=float(second))
    return filtered
