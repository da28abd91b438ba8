"""The decaying triangular cyclical learning rate as an MMEngine scheduler."""

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, OptimizerType, _ParamScheduler
from mmengine.registry import PARAM_SCHEDULERS

from efficientpose.engine.resuming import check_resumed

RATE_RANGE = 3000.0
"""λmax / λmin."""


def limit_rate(max_rate: float, *, sigma_start: float, sigma_end: float, rate_range: float = RATE_RANGE) -> float:
    """Return λ∞ = 10 ** ((log10 λmax + log10 λmin) / 2) · 2 ** (σ0 - σ∞), Eq. 5.

    Args:
        max_rate: λmax.
        sigma_start: σ0, as a fraction of the heatmap's size.
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


@PARAM_SCHEDULERS.register_module()
class DecayingTriangularLR(LRSchedulerMixin, _ParamScheduler):
    """Cycle the learning rate between λmin and λmax = the optimiser's ``lr``, ever closer to λ∞ (Appendix B, Eq. 5).

    The rate of a step depends on the step's number alone, so a resumed run goes on exactly; one of another length,
    batch size, number of processes or learning rate is refused.

    Args:
        optimizer: Wrapped optimiser.
        cycle: Length of a cycle: epochs with ``by_epoch=True, convert_to_iter_based=True``, else steps.
        sigma_start: σ0 of Eq. 5; None for that of the run's ``ShrinkingSigmaHook``, or, without one, for σ∞.
        sigma_end: σ∞ of Eq. 5, likewise.
        rate_range: λmax / λmin.
        begin: First epoch or step.
        end: The epoch or step after the last; it must be given, since the decay ends there.
        last_step: Step to resume from without a state dict.
        by_epoch: Whether the counts are epochs.
        verbose: Print every value.

    Raises:
        ValueError: If ``end`` is missing, the cycle is shorter than 2, the range not above 1, or one sigma given
            without the other.
    """

    def __init__(
        self,
        optimizer: OptimizerType,
        *,
        cycle: int = 3,
        sigma_start: float | None = None,
        sigma_end: float | None = None,
        rate_range: float = RATE_RANGE,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if end >= INF:
            raise ValueError("DecayingTriangularLR dies down until the training's end: set end to its length")
        if cycle < 2 or rate_range <= 1:
            raise ValueError(f"cycle must be at least 2 and rate_range above 1, got {cycle} and {rate_range}")
        if (sigma_start is None) != (sigma_end is None):
            raise ValueError(f"give sigma_start and sigma_end or neither, got {sigma_start} and {sigma_end}")
        self.cycle = cycle
        self.sigma_start = sigma_start
        self.sigma_end = sigma_end
        self.rate_range = rate_range
        super().__init__(optimizer, begin=begin, end=end, last_step=last_step, by_epoch=by_epoch, verbose=verbose)

    @classmethod
    def build_iter_from_epoch(
        cls,
        optimizer: OptimizerType,
        *,
        epoch_length: int,
        cycle: int = 3,
        begin: int = 0,
        end: int = INF,
        by_epoch: bool = True,
        **settings: Any,
    ) -> "DecayingTriangularLR":
        """Build a scheduler per step from counts of epochs (MMEngine's contract).

        Raises:
            ValueError: If the counts are not epochs.
        """
        if not by_epoch:
            raise ValueError("convert_to_iter_based=True needs by_epoch=True")
        return cls(
            optimizer,
            cycle=cycle * epoch_length,
            begin=begin * epoch_length,
            end=end if end >= INF else end * epoch_length,
            by_epoch=False,
            **settings,
        )

    def follow_sigma(self, *, sigma_start: float, sigma_end: float) -> None:
        """Take the sigmas of Eq. 5 from the run's targets, if the config gave none; the first rate needs none."""
        if self.sigma_start is None:
            self.sigma_start, self.sigma_end = sigma_start, sigma_end

    @property
    def limits(self) -> list[float]:
        """λ∞ of each group of parameters."""
        sigmas = dict(sigma_start=self.sigma_start or 0.0, sigma_end=self.sigma_end or 0.0)
        return [limit_rate(max_rate, **sigmas, rate_range=self.rate_range) for max_rate in self.base_values]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a scheduler with the same settings was saved (PyTorch's contract).

        Raises:
            ValueError: If its settings, in steps, are others: those of a run with another length, batch size, number
                of processes or learning rate.
        """
        names = ("begin", "end", "cycle", "rate_range", "sigma_start", "sigma_end", "base_values")
        check_resumed(
            {name: state_dict.get(name) for name in names},
            {name: getattr(self, name) for name in names},
            name="learning rate (in steps)",
            remedy="set learning rate, length, batch size and number of processes back",
        )
        super().load_state_dict(state_dict)

    def _get_value(self) -> list[float]:
        return [
            decaying_triangular_rate(
                self.last_step,
                num_steps=self.end - self.begin,
                cycle_steps=self.cycle,
                max_rate=max_rate,
                limit=limit,
                rate_range=self.rate_range,
            )
            for max_rate, limit in zip(self.base_values, self.limits, strict=True)
        ]
