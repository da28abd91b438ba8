"""Find λmax, the highest learning rate that does not diverge during a first cycle (Groos et al. 2020, Appendix B).

Example:
    python tools/lr_range_test.py configs/efficientpose_rt_mpii.py --confirm --out lr_range.png

The network is trained as the config says while the rate rises exponentially, by default over half of a first cycle, 1.5
epochs. λmax is the highest rate before the smoothed loss rises by a fifth over its lowest. A ramp spends few steps on
each rate: ``--confirm`` then trains the rising half of a real first cycle, λmax / 3000 to λmax, and halves λmax until
that does not diverge. The config is not changed and no checkpoint is written. It runs on one device: give the whole
batch to it, by ``train_dataloader.batch_size`` or ``optim_wrapper.accumulative_counts``.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.divergence import RangeCurve, round_down
from efficientpose.engine.plots import check_picture_path, draw_rate_range, save_figure
from efficientpose.engine.rate_range import FirstCycle, Ramp, confirm_max_rate, find_first_cycle, run_range_test


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Find the highest learning rate that does not diverge.")
    parser.add_argument("config", type=Path, help="training config")
    parser.add_argument("--lowest", type=float, default=1e-5, help="first rate (default: %(default)s)")
    parser.add_argument("--highest", type=float, default=100.0, help="last rate (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="training steps (default: half of a first cycle)")
    parser.add_argument(
        "--divergence-factor",
        type=float,
        default=2.0,
        help="the loss has diverged at this many times its lowest, smoothed value (default: %(default)s)",
    )
    parser.add_argument("--confirm", action="store_true", help="train the rising half of a first cycle at λmax as well")
    parser.add_argument("--out", type=Path, default=Path("lr_range.png"), help="picture (default: %(default)s)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="change settings: key=value ...")
    return parser.parse_args()


def run_ramp(config: Config, ramp: Ramp, console: Console) -> RangeCurve:
    """Run the range test with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("raising the rate", total=ramp.num_steps)

        def show(step: int, loss: float) -> None:
            rate = ramp.lowest * ramp.growth**step
            progress.update(task, completed=step + 1, description=f"rate {rate:.2e}, loss {loss:.4g}")

        return run_range_test(config, ramp, on_step=show)


def run_first_rises(
    config: Config, first_cycle: FirstCycle, *, max_rate: float, divergence_factor: float, console: Console
) -> float:
    """Confirm λmax with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("first cycle", total=first_cycle.num_steps + 1)
        return confirm_max_rate(
            config,
            first_cycle,
            max_rate=max_rate,
            divergence_factor=divergence_factor,
            on_try=lambda rate, survived: console.print(
                f"first cycle up to {rate:.3g}: " + ("does not diverge" if survived else "diverges")
            ),
            on_step=lambda step, loss: progress.update(
                task, completed=step + 1, description=f"first cycle, loss {loss:.4g}"
            ),
        )


def find_max_rate(arguments: argparse.Namespace, console: Console) -> float:
    """Run what the arguments ask for, save the picture and return λmax."""
    check_picture_path(arguments.out)
    config = Config.fromfile(arguments.config)
    config.merge_from_dict(arguments.cfg_options or {})
    first_cycle = find_first_cycle(config)
    ramp = Ramp(
        lowest=arguments.lowest,
        highest=arguments.highest,
        num_steps=first_cycle.num_steps if arguments.steps is None else arguments.steps,
        divergence_factor=arguments.divergence_factor,
    )
    curve = run_ramp(config, ramp, console)
    save_figure(draw_rate_range(curve, title=arguments.config.stem), arguments.out)
    max_rate = round_down(curve.max_rate)
    end = f"diverged at {curve.rates[-1]:.2g}" if curve.diverged else f"did not diverge up to {curve.rates[-1]:.2g}"
    console.print(f"The loss did not rise up to a rate of {max_rate:.2g}, and {end}; {arguments.out} shows it.")
    if arguments.confirm:
        max_rate = round_down(
            run_first_rises(
                config,
                first_cycle,
                max_rate=max_rate,
                divergence_factor=arguments.divergence_factor,
                console=console,
            )
        )
    return max_rate


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


if __name__ == "__main__":
    sys.exit(main())
