"""The training recipe's two schedules in closed form (Groos et al. 2020, Appendix B and Eq. 5).

The paper gives the cycle (3 epochs), the range (a factor of 3000), the limit (Eq. 5) and that the amplitude decays. It
does not give the shape of the decay, the steps of sigma, or the unit of sigma in Eq. 5 (here a fraction of the map);
these are our reading, stated below.
"""

import math

RATE_RANGE = 3000.0
"""λmax / λmin."""


def limit_rate(max_rate: float, *, sigma_start: float, sigma_end: float, rate_range: float = RATE_RANGE) -> float:
    """Return λ∞ = 10 ** ((log10 λmax + log10 λmin) / 2) · 2 ** (σ0 - σ∞), Eq. 5.

    Args:
        max_rate: λmax.
        sigma_start: σ0, as a fraction of the map.
        sigma_end: σ∞.
        rate_range: λmax / λmin.
    """
    return max_rate / math.sqrt(rate_range) * 2 ** (sigma_start - sigma_end)


def decaying_triangular_rate(
    step: int, *, num_steps: int, cycle_steps: int, max_rate: float, limit: float, rate_range: float = RATE_RANGE
) -> float:
    """Return the learning rate of one step of a triangular wave (Smith 2017, arXiv 1506.01186) that dies down.

    A whole cycle rises linearly from λmin to λmax and falls back as it rose. Cycle number n of N = ceil(steps / cycle)
    keeps the share 1 - n / N of the wave's distance from ``limit``: the first spans the whole range, and the last still
    1 / N of it, so it reaches from ``limit - (limit - λmin) / N`` up to ``limit + (λmax - limit) / N``. A training that
    is no whole number of cycles ends within its last. In units of ``limit``, with the recipe's σ0 - σ∞ of 0.1 and
    cycles of 3 epochs, the last cycle's highest rate is 5.17, 1.97 and 1.75 in 36, 100 and 200 epochs, and the rate of
    the last step 0.92, 1.97 (still rising) and 1.49 (falling).

    Args:
        step: Counted from 0; beyond the last, the rate is ``limit``.
        num_steps: Steps of the whole training.
        cycle_steps: Steps of a cycle.
        max_rate: λmax.
        limit: λ∞.
        rate_range: λmax / λmin.
    """
    if step >= num_steps:
        return limit
    cycle, step_in_cycle = divmod(step, cycle_steps)
    amplitude = 1 - cycle / math.ceil(num_steps / cycle_steps)
    height = 1 - abs(2 * step_in_cycle / cycle_steps - 1)
    min_rate = max_rate / rate_range
    wave = min_rate + height * (max_rate - min_rate)
    return limit + amplitude * (wave - limit)


def stepwise_sigma(epoch: int, *, num_epochs: int, num_levels: int, sigma_start: float, sigma_end: float) -> float:
    """Return the heatmaps' width in one epoch: equal steps down, each level for an equal share of the epochs.

    Args:
        epoch: Counted from 0; beyond the last, sigma is ``sigma_end``.
        num_epochs: Epochs of the whole training.
        num_levels: Values that sigma takes, both ends included.
        sigma_start: σ0, as a fraction of the map.
        sigma_end: σ∞.
    """
    if num_levels == 1:
        return sigma_end
    level = min(num_levels - 1, epoch * num_levels // num_epochs)
    return sigma_start + (sigma_end - sigma_start) * level / (num_levels - 1)
