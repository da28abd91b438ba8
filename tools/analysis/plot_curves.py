"""Draw training curves of one or several runs from MMEngine's JSON logs.

Example:
    python tools/analysis/plot_curves.py work_dirs/efficientpose_rt_synthetic --keys loss PCKh@0.5 --out curves.png

MMPose's ``analyze_logs.py`` does not serve: it takes one file a run, so no resumed run, leaves out the scores of
validation, which carry no epoch, and needs seaborn.
"""

import argparse
import sys
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.plots import draw_curves, save_figure
from efficientpose.engine.training_logs import name_runs, read_run, select


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Draw training curves of one or several runs.")
    parser.add_argument("work_dirs", type=Path, nargs="+", metavar="WORK_DIR", help="work folder of a run")
    parser.add_argument("--keys", nargs="+", default=["loss", "PCKh@0.5"], help="what to draw (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="picture (default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    """Draw the curves and print each one's last value; return the exit status."""
    arguments = parse_arguments()
    try:
        names = name_runs(arguments.work_dirs)
        runs = {name: read_run(work_dir) for name, work_dir in names.items()}
        curves = select(runs, arguments.keys)
        over = "epoch" if next(iter(runs.values())).by_epoch else "step"
        save_figure(draw_curves(curves, x_label=over), arguments.out)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for key, drawn in curves.items():
        for name, curve in drawn:
            print(f"{key}, {name}: {curve.y[-1]:.5g} at {over} {curve.x[-1]:.5g}")
    print(f"drawn in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
