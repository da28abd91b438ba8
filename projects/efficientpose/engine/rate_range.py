"""Learning-rate range test: find λmax, the highest rate that does not diverge during a first cycle (Appendix B).

The network is trained as its config says, hooks included, but for the learning rate, which rises exponentially step by
step until the loss diverges. Nothing is validated or saved.
"""

import copy
import math
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner

from efficientpose.engine.cyclical_rate import RATE_RANGE, DecayingTriangularLR
from efficientpose.engine.divergence import LossWatch, RangeCurve, read_range, window_for
from efficientpose.engine.resuming import hook_class

CYCLE_EPOCHS = 3
"""The paper's."""

OnStep = Callable[[int, float], None]
"""Told each step's number, from 0, and its loss."""


OnTry = Callable[[float, bool], None]
"""Told each λmax that was tried, and whether the loss has not diverged."""

MAX_TRIES = 8


class _EndOfTest(Exception):  # noqa: N818 - it is no error
    """Ends a training that would go on."""


class _WatchHook(Hook):
    """Hand every step's loss to a watch; end the training when it has diverged or seen enough."""

    priority = "HIGHEST"

    def __init__(self, watch: LossWatch, *, num_steps: int, on_step: OnStep) -> None:
        self.watch = watch
        self.num_steps = num_steps
        self.on_step = on_step

    def after_train_iter(
        self,
        runner: Runner,  # noqa: ARG002 - MMEngine passes it
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,  # noqa: ARG002
        outputs: dict | None = None,
    ) -> None:
        loss = float((outputs or {})["loss"].detach())
        self.watch.add(loss)
        self.on_step(len(self.watch.losses) - 1, loss)
        if self.watch.diverged or len(self.watch.losses) == self.num_steps:
            raise _EndOfTest


class FirstCycle(NamedTuple):
    """The rising half of a config's first cycle.

    Attributes:
        num_steps: From λmin to λmax.
        rate_range: λmax / λmin.
    """

    num_steps: int
    rate_range: float


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """How the rate rises.

    Attributes:
        lowest: First rate.
        highest: Last rate.
        num_steps: Steps from one to the other.
        divergence_factor: The loss has diverged once its smoothed value is this many times its lowest.

    Raises:
        ValueError: If the rates are not positive and ascending, there are too few steps, or the factor is not above 1.
    """

    lowest: float = 1e-5
    highest: float = 100.0
    num_steps: int
    divergence_factor: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest:
            raise ValueError(f"the rate must rise from above 0, got {self.lowest} to {self.highest}")
        if self.num_steps < 20:
            raise ValueError(f"{self.num_steps} steps are too few to find a rate: take 20 or more, better hundreds")
        if not self.divergence_factor > 1:
            raise ValueError(f"the divergence factor must be above 1, got {self.divergence_factor}")

    @property
    def growth(self) -> float:
        """A step's rate over the one before."""
        return float((self.highest / self.lowest) ** (1 / (self.num_steps - 1)))


def find_first_cycle(config: Config) -> FirstCycle:
    """Return the first cycle of a config's schedule; the paper's, 3 epochs, if it has another schedule.

    The data set is loaded to learn the length of an epoch.
    """
    init_default_scope(config.get("default_scope", "mmpose"))
    epoch_length = len(Runner.build_dataloader(copy.deepcopy(config.train_dataloader)))
    settings = _find_cyclical(config)
    cycle = settings.get("cycle", CYCLE_EPOCHS)
    num_steps = cycle * epoch_length / 2 if settings.get("by_epoch", True) else cycle / 2
    return FirstCycle(num_steps=max(1, round(num_steps)), rate_range=settings.get("rate_range", RATE_RANGE))


def _find_cyclical(config: Config) -> dict[str, Any]:
    schedulers = config.get("param_scheduler") or []
    for settings in [schedulers] if isinstance(schedulers, dict) else schedulers:
        if PARAM_SCHEDULERS.get(settings["type"]) is DecayingTriangularLR:
            return dict(settings)
    return {}


def run_range_test(config: Config, ramp: Ramp, *, on_step: OnStep = lambda _step, _loss: None) -> RangeCurve:
    """Train with a rising rate until the loss diverges; see :func:`~efficientpose.engine.divergence.read_range`.

    Args:
        config: A training config; not changed.
        ramp: How the rate rises.
        on_step: Called after each step.

    Raises:
        ValueError: If λmax is not between the ramp's ends.
    """
    watch = LossWatch(window=window_for(ramp.num_steps), divergence_factor=ramp.divergence_factor)
    scheduler = dict(type="ExponentialLR", gamma=ramp.growth, by_epoch=False, end=ramp.num_steps)
    _train(config, scheduler, rate=ramp.lowest, num_steps=ramp.num_steps, watch=watch, on_step=on_step)
    return read_range([ramp.lowest * ramp.growth**step for step in range(len(watch.losses))], watch)


def survives_first_rise(
    config: Config,
    first_cycle: FirstCycle,
    *,
    max_rate: float,
    divergence_factor: float,
    on_step: OnStep = lambda _step, _loss: None,
) -> bool:
    """Train the first cycle's rising half, λmin to λmax; return whether the loss has not diverged.

    Args:
        config: A training config; not changed.
        first_cycle: Its first cycle.
        max_rate: λmax to try.
        divergence_factor: As in :class:`Ramp`.
        on_step: Called after each step.
    """
    num_steps = first_cycle.num_steps
    watch = LossWatch(window=window_for(num_steps), divergence_factor=divergence_factor)
    scheduler = dict(
        type="DecayingTriangularLR",
        by_epoch=False,
        cycle=2 * num_steps,
        end=2 * num_steps,
        rate_range=first_cycle.rate_range,
    )
    _train(config, scheduler, rate=max_rate, num_steps=num_steps + 1, watch=watch, on_step=on_step)
    return not watch.diverged


def confirm_max_rate(
    config: Config,
    first_cycle: FirstCycle,
    *,
    max_rate: float,
    divergence_factor: float,
    on_try: OnTry = lambda _rate, _survived: None,
    on_step: OnStep = lambda _step, _loss: None,
) -> float:
    """Halve λmax until the first cycle's rising half does not diverge; return it.

    Args:
        config: A training config; not changed.
        first_cycle: Its first cycle.
        max_rate: The first to try.
        divergence_factor: As in :class:`Ramp`.
        on_try: Called after each try.
        on_step: Called after each step.

    Raises:
        ValueError: If :data:`MAX_TRIES` rates diverge.
    """
    for halvings in range(MAX_TRIES):
        rate = max_rate / 2**halvings
        survived = survives_first_rise(
            config, first_cycle, max_rate=rate, divergence_factor=divergence_factor, on_step=on_step
        )
        on_try(rate, survived)
        if survived:
            return rate
    raise ValueError(
        f"the first cycle diverges at every rate from {max_rate:.3g} down to {rate:.3g}: look for another cause than "
        "the rate, or give a larger divergence factor"
    )


def _train(
    config: Config, scheduler: dict[str, Any], *, rate: float, num_steps: int, watch: LossWatch, on_step: OnStep
) -> None:
    """Train until the last step or divergence, in a folder that is removed afterwards.

    Raises:
        ValueError: If the whole training has fewer steps.
    """
    with tempfile.TemporaryDirectory() as work_dir:
        runner = Runner.from_cfg(_prepare(config, scheduler=scheduler, rate=rate, work_dir=work_dir))
        runner.register_hook(_WatchHook(watch, num_steps=num_steps, on_step=on_step))
        try:
            runner.train()
        except _EndOfTest:
            return
        except FloatingPointError:  # a hook that guards against numbers that are not finite
            watch.add(math.inf)
            return
    raise ValueError(
        f"the config trains for {len(watch.losses)} steps, fewer than the test's {num_steps}: take fewer steps, or a "
        "larger train_cfg.max_epochs"
    )


def _prepare(config: Config, *, scheduler: dict[str, Any], rate: float, work_dir: str) -> Config:
    """Return a copy of the config that trains by another schedule, and leaves nothing behind.

    Raises:
        ValueError: If it has no optimiser, or several.
    """
    if "optimizer" not in (config.get("optim_wrapper") or {}):
        raise ValueError(f"{config.filename}: optim_wrapper has no optimizer; configs with several are not supported")
    init_default_scope(config.get("default_scope", "mmpose"))
    prepared = copy.deepcopy(config)
    prepared.optim_wrapper.optimizer.lr = rate
    prepared.param_scheduler = [scheduler]
    for part in ("val", "test"):
        prepared.update({f"{part}_dataloader": None, f"{part}_cfg": None, f"{part}_evaluator": None})
    kept = {name: hook for name, hook in (config.get("default_hooks") or {}).items() if hook and _is_needed(hook)}
    prepared.default_hooks = {**kept, "checkpoint": None, "logger": None}
    prepared.custom_hooks = [hook for hook in config.get("custom_hooks") or [] if _is_needed(hook)]
    name = f"rate_range_{secrets.token_hex(8)}"  # MMEngine would hand a second run of the name the first one's logs
    prepared.visualizer = dict(type="Visualizer", vis_backends=None, name=name)
    prepared.update(dict(work_dir=work_dir, resume=False, log_level="ERROR", experiment_name=name))
    return prepared


def _is_needed(settings: ConfigDict) -> bool:
    return not issubclass(hook_class(settings), CheckpointHook | LoggerHook)
