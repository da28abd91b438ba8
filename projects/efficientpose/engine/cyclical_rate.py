"""The decaying triangular cyclical learning rate as an MMEngine scheduler."""

from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, OptimizerType, _ParamScheduler
from mmengine.registry import PARAM_SCHEDULERS

from efficientpose.engine.schedules import RATE_RANGE, decaying_triangular_rate, limit_rate


@PARAM_SCHEDULERS.register_module()
class DecayingTriangularLR(LRSchedulerMixin, _ParamScheduler):
    """Cycle the learning rate between λmin and λmax = the optimiser's ``lr``, ever closer to λ∞ (Appendix B, Eq. 5).

    The rate of a step depends on the step's number alone, so a resumed run goes on exactly.

    Args:
        optimizer: Wrapped optimiser.
        cycle: Length of a cycle: epochs with ``by_epoch=True, convert_to_iter_based=True``, else steps.
        sigma_start: σ0 of Eq. 5.
        sigma_end: σ∞ of Eq. 5.
        rate_range: λmax / λmin.
        begin: First epoch or step.
        end: The epoch or step after the last; it must be given, since the decay ends there.
        last_step: Step to resume from without a state dict.
        by_epoch: Whether the counts are epochs.
        verbose: Print every value.

    Raises:
        ValueError: If ``end`` is missing, the cycle is shorter than 2 or the range not above 1.
    """

    def __init__(
        self,
        optimizer: OptimizerType,
        *,
        cycle: int = 3,
        sigma_start: float = 0.05,
        sigma_end: float = 0.05,
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

    def _get_value(self) -> list[float]:
        return [
            decaying_triangular_rate(
                self.last_step,
                num_steps=self.end - self.begin,
                cycle_steps=self.cycle,
                max_rate=max_rate,
                limit=limit_rate(
                    max_rate, sigma_start=self.sigma_start, sigma_end=self.sigma_end, rate_range=self.rate_range
                ),
                rate_range=self.rate_range,
            )
            for max_rate in self.base_values
        ]
