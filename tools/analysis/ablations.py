"""Train the paper's ablations on other data than MPII and print the table.

Example:
    python tools/analysis/ablations.py configs/efficientpose_i_synthetic.py --epochs 3 --seeds 0 1

The first row is the config itself; every other one is an ablation of the same variant with the config's data. With
--backbone all start from one trained backbone, which compares heads at a small budget. Each run has a work folder of
its own below --out; one that is finished is not run again, and one that was stopped goes on.
"""

import argparse
import sys
from pathlib import Path

from ablation_runs import CHANGES, make_config, render_table, run_once
from mmengine.config import Config

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.evaluation.pckh import Score


def main() -> int:
    """Train what is not trained yet and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Train the paper's ablations on other data and print the table.")
    parser.add_argument("config", type=Path, help="the full network on the data, such as efficientpose_i_synthetic.py")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES), help="default: all")
    parser.add_argument("--epochs", type=int, required=True, help="length of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run each (default: 0)")
    parser.add_argument(
        "--backbone", type=Path, help="checkpoint whose backbone all start from (default: random weights)"
    )
    parser.add_argument("--out", type=Path, default=Path("work_dirs/ablations"), help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        base = Config.fromfile(arguments.config)
        runs = [(change, seed) for change in ("full", *arguments.changes) for seed in arguments.seeds]
        configs = [_make(base, change, seed, arguments) for change, seed in runs]  # all, before hours of training
        results: dict[str, list[dict[str, Score]]] = {}
        for (change, seed), config in zip(runs, configs, strict=True):
            results.setdefault(change, []).append(run_once(config, _work_dir(change, seed, arguments)))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(render_table(results))
    return 0


def _make(base: Config, change: str, seed: int, arguments: argparse.Namespace) -> Config:
    return make_config(base, change, num_epochs=arguments.epochs, seed=seed, backbone=arguments.backbone)


def _work_dir(change: str, seed: int, arguments: argparse.Namespace) -> Path:
    start = "" if arguments.backbone is None else f"_from_{arguments.backbone.stem}"
    name = f"{arguments.config.stem}_{change}_{arguments.epochs}_epochs_seed_{seed}{start}"
    return Path(arguments.out / name)


if __name__ == "__main__":
    sys.exit(main())
