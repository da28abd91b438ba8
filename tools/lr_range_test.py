"""Find λmax, the highest learning rate that does not diverge during a first cycle (Groos et al. 2020, Appendix B).

Example:
    python tools/lr_range_test.py configs/efficientpose_rt_mpii.py --confirm --out lr_range.png

The network is trained as the config says, hooks included, while the rate rises exponentially, by default over half of a
first cycle, 1.5 epochs. λmax is the highest rate before the smoothed loss rises by a fifth over its lowest. A ramp
spends few steps on each rate: ``--confirm`` then trains the rising half of a real first cycle, λmax / 3000 to λmax, and
halves λmax until that does not diverge. The config is not changed; nothing is validated, and no checkpoint is written.
It runs on one device: give the whole batch to it, by ``train_dataloader.batch_size`` or
``optim_wrapper.accumulative_counts``.
"""

import argparse
import copy
import math
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.cyclical_rate import RATE_RANGE, DecayingTriangularLR
from efficientpose.engine.figures import check_figure_path, save_figure
from efficientpose.engine.lookup import hook_class

CYCLE_EPOCHS = 3  # the paper's
TURN_FACTOR = 1.2  # a smoothed loss that has risen so far rises for good: batches alone move it by a few hundredths
WINDOW_SHARE, MIN_WINDOW = 0.03, 5
MAX_TRIES = 8

OnStep = Callable[[int, float], None]  # called with each step's number, from 0, and its loss

OnTry = Callable[[float, bool], None]  # called with each λmax that was tried, and whether the loss has not diverged


def main() -> int:
    """Find and print λmax; return the exit status."""
    arguments = parse_arguments()
    console = Console(highlight=False)
    try:
        max_rate = find_max_rate(arguments, console)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console.print(f"λmax = {max_rate:.2g}. In the config:")
    console.print(f"    optim_wrapper = dict(optimizer=dict(lr={max_rate:.2g}))")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Find the highest learning rate that does not diverge.")
    parser.add_argument("config", type=Path, help="training config")
    parser.add_argument("--lowest", type=float, default=1e-5, help="first rate (default: %(default)s)")
    parser.add_argument("--highest", type=float, default=100.0, help="last rate (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="training steps (default: half of a first cycle)")
    factor = "the loss has diverged at this many times its lowest, smoothed value (default: %(default)s)"
    parser.add_argument("--divergence-factor", type=float, default=2.0, help=factor)
    parser.add_argument("--confirm", action="store_true", help="train the rising half of a first cycle at λmax as well")
    parser.add_argument("--out", type=Path, default=Path("lr_range.png"), help="image (default: %(default)s)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="change settings: key=value ...")
    return parser.parse_args()


def find_max_rate(arguments: argparse.Namespace, console: Console) -> float:
    """Run the ramp and, if asked to, the first cycles; save the figure and return λmax."""
    check_figure_path(arguments.out)
    config = Config.fromfile(arguments.config)
    config.merge_from_dict(arguments.cfg_options or {})
    first_cycle = find_first_cycle(config)
    factor = arguments.divergence_factor
    num_steps = first_cycle.num_steps if arguments.steps is None else arguments.steps
    ramp = Ramp(lowest=arguments.lowest, highest=arguments.highest, num_steps=num_steps, divergence_factor=factor)

    def show_ramp(step: int, loss: float) -> None:
        show(step, f"rate {ramp.rate(step):.2e}, loss {loss:.4g}")

    with _show_progress(console, num_steps=num_steps) as show:
        curve = run_range_test(config, ramp, on_step=show_ramp)
    save_figure(draw_rate_range(curve, title=arguments.config.stem), arguments.out)
    max_rate = round_down(curve.max_rate)
    end = f"diverged at {curve.rates[-1]:.2g}" if curve.diverged else f"did not diverge up to {curve.rates[-1]:.2g}"
    console.print(f"The loss did not rise up to a rate of {max_rate:.2g}, and {end}; {arguments.out} shows it.")
    if not arguments.confirm:
        return max_rate

    def print_try(rate: float, survived: bool) -> None:
        console.print(f"first cycle up to {rate:.3g}: " + ("does not diverge" if survived else "diverges"))

    with _show_progress(console, num_steps=first_cycle.num_steps + 1) as show:
        steps = dict(on_try=print_try, on_step=lambda step, loss: show(step, f"first cycle, loss {loss:.4g}"))
        confirmed = confirm_max_rate(config, first_cycle, max_rate=max_rate, divergence_factor=factor, **steps)
    return round_down(confirmed)


@contextmanager
def _show_progress(console: Console, *, num_steps: int) -> Iterator[Callable[[int, str], None]]:
    """Show a progress bar; yield a function of a step's number and what to say of it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=num_steps)
        yield lambda step, text: progress.update(task, completed=step + 1, description=text)


class FirstCycle(NamedTuple):
    """The rising half of a config's first cycle: its steps from λmin to λmax, and λmax / λmin."""

    num_steps: int
    rate_range: float


def find_first_cycle(config: Config) -> FirstCycle:
    """Return the first cycle of a config's schedule; the paper's, 3 epochs, if it has another schedule.

    The dataset is loaded to learn the length of an epoch.
    """
    init_default_scope(config.get("default_scope", "mmpose"))
    epoch_length = len(Runner.build_dataloader(copy.deepcopy(config.train_dataloader)))
    schedulers = config.get("param_scheduler") or []
    schedulers = [schedulers] if isinstance(schedulers, dict) else schedulers
    is_cyclical = (PARAM_SCHEDULERS.get(each["type"]) is DecayingTriangularLR for each in schedulers)
    settings = next((each for each, found in zip(schedulers, is_cyclical, strict=True) if found), {})
    cycle = settings.get("cycle", CYCLE_EPOCHS)
    num_steps = cycle * epoch_length / 2 if settings.get("by_epoch", True) else cycle / 2
    return FirstCycle(num_steps=max(1, round(num_steps)), rate_range=settings.get("rate_range", RATE_RANGE))


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """How the rate rises, from the first rate to the last."""

    lowest: float = 1e-5
    highest: float = 100.0
    num_steps: int
    divergence_factor: float = 2.0  # the loss has diverged once its smoothed value is so many times its lowest

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

    def rate(self, step: int) -> float:
        """Return the rate of a step, counted from 0."""
        return self.lowest * self.growth**step


def run_range_test(config: Config, ramp: Ramp, *, on_step: OnStep = lambda _step, _loss: None) -> "RangeCurve":
    """Train with a rising rate until the loss diverges; see :func:`read_range`."""
    watch = LossWatch(window=window_for(ramp.num_steps), divergence_factor=ramp.divergence_factor)
    scheduler = dict(type="ExponentialLR", gamma=ramp.growth, by_epoch=False, end=ramp.num_steps)
    _train(config, scheduler, rate=ramp.lowest, num_steps=ramp.num_steps, watch=watch, on_step=on_step)
    return read_range([ramp.rate(step) for step in range(len(watch.losses))], watch)


def confirm_max_rate(
    config: Config,
    first_cycle: FirstCycle,
    *,
    max_rate: float,
    divergence_factor: float,
    on_try: OnTry = lambda _rate, _survived: None,
    on_step: OnStep = lambda _step, _loss: None,
) -> float:
    """Halve λmax, from the given one on, until the first cycle's rising half does not diverge; return it."""
    for halvings in range(MAX_TRIES):
        rate = max_rate / 2**halvings
        settings = dict(max_rate=rate, divergence_factor=divergence_factor, on_step=on_step)
        survived = survives_first_rise(config, first_cycle, **settings)
        on_try(rate, survived)
        if survived:
            return rate
    advice = "look for another cause than the rate, or give a larger divergence factor"
    raise ValueError(f"the first cycle diverges at every rate from {max_rate:.3g} down to {rate:.3g}: {advice}")


def survives_first_rise(
    config: Config,
    first_cycle: FirstCycle,
    *,
    max_rate: float,
    divergence_factor: float,
    on_step: OnStep = lambda _step, _loss: None,
) -> bool:
    """Train the first cycle's rising half, λmin to λmax; return whether the loss has not diverged."""
    num_steps = first_cycle.num_steps
    watch = LossWatch(window=window_for(num_steps), divergence_factor=divergence_factor)
    length = dict(by_epoch=False, cycle=2 * num_steps, end=2 * num_steps)
    scheduler = dict(type="DecayingTriangularLR", rate_range=first_cycle.rate_range, **length)
    _train(config, scheduler, rate=max_rate, num_steps=num_steps + 1, watch=watch, on_step=on_step)
    return not watch.diverged


def _train(
    config: Config, scheduler: dict[str, Any], *, rate: float, num_steps: int, watch: "LossWatch", on_step: OnStep
) -> None:
    """Train until the last step or divergence, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as work_dir:
        runner = Runner.from_cfg(_prepare(config, scheduler=scheduler, rate=rate, work_dir=work_dir))
        runner.register_hook(_WatchHook(watch, num_steps=num_steps, on_step=on_step))
        try:
            runner.train()
        except _EndOfTest:
            return
        except FloatingPointError:  # NanGuardHook's
            watch.add(math.inf)
            return
    counts = f"{len(watch.losses)} steps, fewer than the test's {num_steps}"
    raise ValueError(f"the config trains for {counts}: take fewer steps, or a larger train_cfg.max_epochs")


class _EndOfTest(Exception):  # noqa: N818 - it is no error
    """Ends a training that would go on."""


class _WatchHook(Hook):
    """Hand every step's loss to a watch; end the training when the loss has diverged or after the last step."""

    priority = "HIGHEST"

    def __init__(self, watch: "LossWatch", *, num_steps: int, on_step: OnStep) -> None:
        self.watch = watch
        self.num_steps = num_steps
        self.on_step = on_step

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:  # noqa: ARG002 - MMEngine passes them
        loss = float(outputs["loss"].detach())
        self.watch.add(loss)
        self.on_step(len(self.watch.losses) - 1, loss)
        if self.watch.diverged or len(self.watch.losses) == self.num_steps:
            raise _EndOfTest


def _prepare(config: Config, *, scheduler: dict[str, Any], rate: float, work_dir: str) -> Config:
    """Return a copy of the config that trains by another schedule, and leaves nothing behind."""
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
    name = f"rate_range_{secrets.token_hex(8)}"  # MMEngine would reuse an earlier run's logs by its name
    prepared.visualizer = dict(type="Visualizer", vis_backends=None, name=name)
    prepared.update(dict(work_dir=work_dir, resume=False, log_level="ERROR", experiment_name=name))
    return prepared


def _is_needed(settings: ConfigDict) -> bool:
    return not issubclass(hook_class(settings), CheckpointHook | LoggerHook)


def window_for(num_steps: int) -> int:
    """Return over how many steps to smooth a run of ``num_steps``."""
    return max(MIN_WINDOW, round(WINDOW_SHARE * num_steps))


class LossWatch:
    """Smooths a loss step by step and tells when it has diverged.

    A loss falls and grows by factors, so its logarithm is smoothed, by an exponential moving average that is corrected
    for its start at zero. The average at a step stands for the loss some steps earlier, the mean age of its terms. The
    loss has diverged once it is not finite or the smoothed loss reaches ``divergence_factor`` times its lowest value.
    The first ``window`` steps do not count as lowest: the average has not settled.
    """

    def __init__(self, *, window: int, divergence_factor: float) -> None:
        self.window = window  # 1 / (1 - decay) of the moving average, in steps
        self.divergence_factor = divergence_factor
        self.losses: list[float] = []
        self.smoothed: list[float] = []  # beside each loss; infinite where the loss is not finite
        self._average = 0.0

    def add(self, loss: float) -> None:
        """Take the next step's loss."""
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
    """A range test's result."""

    rates: list[float]  # λ of each step, ascending
    losses: list[float]  # beside each rate
    smoothed: list[float]  # likewise; infinite where the loss is not finite
    max_rate: float  # λmax
    diverged: bool  # whether the loss has diverged at the last rate
    divergence_factor: float  # as in :class:`Ramp`


def read_range(rates: list[float], watch: LossWatch) -> RangeCurve:
    """Find λmax: the highest rate before the smoothed loss rises by :data:`TURN_FACTOR` over its lowest.

    Divergence begins there: from there on, the steps undo more than they gain. The rate of the lowest loss itself would
    be too low, because the valley is flat. The rate at which the loss has exploded would be too high, because that
    takes steps, in which the rate rises; for the same reason the average's age is taken off. The *first* rise counts,
    since an adaptive optimiser may recover and pass through a second, useless valley.
    """
    smoothed = np.array(watch.smoothed)
    lowest = np.minimum.accumulate(np.where(np.arange(len(smoothed)) < watch.window, np.inf, smoothed))
    with np.errstate(invalid="ignore"):
        risen = np.flatnonzero((smoothed >= TURN_FACTOR * lowest) | ~np.isfinite(smoothed))
    if not len(risen):
        tested = f"by a factor of {TURN_FACTOR} up to a rate of {rates[-1]:.3g}"
        raise ValueError(f"the loss has not risen {tested}: λmax lies higher, so raise the highest rate")
    if np.argmin(lowest[: risen[0] + 1]) <= watch.window:
        advice = "λmax lies lower, so lower the lowest rate"
        raise ValueError(f"the loss rises from the start, at a rate of {rates[0]:.3g}: {advice}")
    max_rate = rates[risen[0] - (watch.window - 1) - 1]
    return RangeCurve(rates, watch.losses, watch.smoothed, max_rate, watch.diverged, watch.divergence_factor)


def round_down(rate: float, *, digits: int = 2) -> float:
    """Return ``rate`` rounded down to some significant digits."""
    unit = 10.0 ** (math.floor(math.log10(rate)) + 1 - digits)
    return float(f"{math.floor(rate / unit * (1 + 1e-12)) * unit:.{digits}g}")


def draw_rate_range(curve: RangeCurve, *, title: str) -> Figure:
    """Draw the loss over the learning rate, with λmax and, where it is reached, the rate of divergence marked."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    smoothed = np.array(curve.smoothed)
    finite = np.isfinite(curve.losses)
    axes.plot(np.array(curve.rates)[finite], np.array(curve.losses)[finite], linewidth=0.6, alpha=0.45, label="loss")
    axes.plot(curve.rates, smoothed, linewidth=1.8, label="smoothed")
    shown = smoothed[np.isfinite(smoothed)]
    low, high = shown.min(), max(shown[0], shown.min() * curve.divergence_factor)
    margin = 0.12 * (high - low)
    axes.set(xscale="log", xlabel="learning rate $\\lambda$", ylabel="training loss", title=title)
    axes.set_ylim(low - margin, high + 2 * margin)
    max_rate = f"$\\lambda_{{max}}$ = {round_down(curve.max_rate):.2g}"
    _mark_rate(axes, curve.max_rate, max_rate, color="tab:green", on_left=True)
    if curve.diverged:
        _mark_rate(axes, curve.rates[-1], f"diverged at {curve.rates[-1]:.2g}", color="tab:red", on_left=False)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return figure


def _mark_rate(axes: Axes, rate: float, text: str, *, color: str, on_left: bool) -> None:
    axes.axvline(rate, color=color, linewidth=1.2, linestyle="--")
    align = dict(ha="right" if on_left else "left", va="top", rotation=90, fontsize=9)
    coords = dict(xycoords=("data", "axes fraction"), textcoords="offset points")
    axes.annotate(text, (rate, 0.98), (-4 if on_left else 4, 0), color=color, **align, **coords)


if __name__ == "__main__":
    sys.exit(main())
