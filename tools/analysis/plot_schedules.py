"""Draw the learning rate and sigma over a whole run, as in the paper's Fig. 5, without data or training.

Example:
    python tools/analysis/plot_schedules.py configs/efficientpose_rt_mpii.py --out schedules.png

Any ``param_scheduler`` that MMEngine can build will do. The steps of an epoch follow from the training annotations and
the batch size on one device; without the annotations, from the 22,246 people of MPII's common training split.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.plots import draw_schedules, save_figure
from efficientpose.engine.schedule_replay import Schedules, epoch_length_of, replay_schedules


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Draw the learning rate and sigma over a whole run.")
    parser.add_argument("config", type=Path, help="training config")
    parser.add_argument("--out", type=Path, default=Path("schedules.png"), help="picture (default: %(default)s)")
    parser.add_argument("--epoch-length", type=int, help="steps of an epoch (default: people / batch size)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="change settings: key=value ...")
    return parser.parse_args()


def describe(schedules: Schedules) -> list[str]:
    """Return the schedules' main numbers in lines."""
    rates = schedules.rates
    peak = int(rates.argmax())
    limit = "" if schedules.limit is None else f", λ∞ {schedules.limit:.4g}"
    lines = [
        f"λ: first {rates[0]:.4g}, highest {rates[peak]:.4g} (epoch {peak / schedules.epoch_length:.2f}), "
        f"last {rates[-1]:.4g}{limit}; {len(rates):,} steps, {schedules.epoch_length:,} an epoch"
    ]
    return lines + [f"sigma {sigma:.4g}: epochs {first} to {last}" for sigma, first, last in schedules.sigma_levels()]


def main() -> int:
    """Draw the schedules and print their main numbers; return the exit status."""
    arguments = parse_arguments()
    try:
        config = Config.fromfile(arguments.config)
        config.merge_from_dict(arguments.cfg_options or {})
        epoch_length = arguments.epoch_length
        if epoch_length is None:
            epoch_length, source = epoch_length_of(config)
            print(source)
        schedules = replay_schedules(config, epoch_length=epoch_length)
        save_figure(draw_schedules(schedules, title=arguments.config.stem), arguments.out)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(*describe(schedules), f"drawn in {arguments.out}", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
