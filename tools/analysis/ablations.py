"""Train the paper's ablations (Groos et al. 2020, Section 4.3) on other data than MPII and print the table.

Example:
    python tools/analysis/ablations.py configs/efficientpose_i_synthetic.py --epochs 3 --seeds 0 1

The first row is the config itself; every other one is an ablation of the same variant with the config's data. With
--backbone all start from one trained backbone, which compares heads at a small budget. Each run has a work folder of
its own below --out; one that is finished is not run again, and one that was stopped goes on.
"""

import argparse
import copy
import json
import re
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Final

from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.core.files import replacing
from efficientpose.core.shipped_files import config_path
from efficientpose.evaluation.pckh import Score

CHANGES: Final = ("no_upscaling", "one_pass", "three_passes", "no_paf", "no_low_level")
MEASURES: Final = ("PCKh@0.5", "PCKh@0.1")
RESULT_FILE: Final = "ablation.json"
DESCRIPTION_FILE: Final = "run.txt"


def main() -> int:
    """Train what is not trained yet and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Train the paper's ablations on other data and print the table.")
    parser.add_argument("config", type=Path, help="the full network on the data, such as efficientpose_i_synthetic.py")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES), help="default: all")
    parser.add_argument("--epochs", type=int, required=True, help="length of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run each (default: 0)")
    backbone_help = "checkpoint whose backbone all start from (default: random weights)"
    parser.add_argument("--backbone", type=Path, help=backbone_help)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/ablations"), help="default: %(default)s")
    arguments = parser.parse_args()
    epochs, backbone = arguments.epochs, arguments.backbone
    start = "" if backbone is None else f"_from_{backbone.stem}"
    try:
        base = Config.fromfile(arguments.config)
        runs = [(change, seed) for change in ("full", *arguments.changes) for seed in arguments.seeds]
        # All configs first: a mistake shows before hours of training.
        configs = [make_config(base, change, num_epochs=epochs, seed=seed, backbone=backbone) for change, seed in runs]
        results: dict[str, list[dict[str, Score]]] = {}
        for (change, seed), config in zip(runs, configs, strict=True):
            name = f"{arguments.config.stem}_{change}_{epochs}_epochs_seed_{seed}{start}"
            results.setdefault(change, []).append(run_once(config, arguments.out / name))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(render_table(results))
    return 0


def make_config(base: Config, change: str, *, num_epochs: int, seed: int, backbone: Path | None = None) -> Config:
    """Return one run's config.

    ``base`` is the full network on the data, a variant RT, I or II; ``change`` is "full" or one of :data:`CHANGES`. The
    run is scored once, at its end. All start from ``backbone``, a checkpoint of a network with the same backbone, and
    from random weights in the neck and head; without one, from random weights in the backbone too.
    """
    if num_epochs < 1:
        raise ValueError(f"a run needs at least 1 epoch, got {num_epochs}")
    config = Config(base.to_dict(), filename=base.filename)
    if change != "full":
        config.model = Config.fromfile(_ablation_path(base, change)).model
        own = config.model.backbone
        own.high_pretrained = base.model.backbone.get("high_pretrained")
        own.low_pretrained = base.model.backbone.get("low_pretrained") if own.get("low_arch") else None
    config.train_cfg.update(max_epochs=num_epochs, val_interval=num_epochs, val_begin=num_epochs + 1)
    config.randomness = dict(seed=seed)
    if backbone is not None:
        if not backbone.is_file():
            raise ValueError(f"{backbone}: no such checkpoint to take the backbone from")
        config.model.backbone.update(high_pretrained=None, low_pretrained=None)
        config.model.backbone.init_cfg = dict(type="Pretrained", checkpoint=str(backbone.resolve()), prefix="backbone.")
    return config


def _ablation_path(base: Config, change: str) -> Path:
    if change not in CHANGES:
        raise ValueError(f"unknown change {change!r}: choose one of full, {', '.join(CHANGES)}")
    found = re.match(r"efficientpose_(\w+?)_", Path(str(base.filename)).name)
    if found is None:
        raise ValueError(f"{base.filename}: a config of a variant is named efficientpose_VARIANT_DATA.py")
    try:
        return config_path(f"ablations/efficientpose_{found[1]}_{change}_mpii.py")
    except FileNotFoundError as error:
        raise ValueError(f"the paper has no ablation {change} of EfficientPose {found[1].upper()}") from error


def run_once(config: Config, work_dir: Path) -> dict[str, Score]:
    """Train and score a config, unless that is done, from its last checkpoint on; return the scores by measure."""
    claim_folder(work_dir, config.pretty_text)
    result = work_dir / RESULT_FILE
    if not result.is_file():
        run = copy.deepcopy(config)
        run.update(dict(work_dir=str(work_dir), resume=True))
        scores = _train(run)
        with replacing(result) as partial:
            partial.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    scores = json.loads(result.read_text(encoding="utf-8"))
    return {name: Score(scores[name], scores[f"{name}_low"], scores[f"{name}_high"]) for name in MEASURES}


def _train(config: Config) -> dict[str, float]:
    runner = Runner.from_cfg(config)
    runner.train()
    return {name: float(value) for name, value in runner.val_loop.run().items()}


def claim_folder(folder: Path, description: str) -> None:
    """Make a run's folder and write into it all that its result depends on; an existing one must be of the same run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DESCRIPTION_FILE
    advice = "remove it, or give another --out"
    if path.is_file():
        if path.read_text(encoding="utf-8") != description:
            raise ValueError(f"{folder} holds a run of other settings, see its {path.name}: {advice}")
    elif any(folder.iterdir()):
        raise ValueError(f"{folder} holds files and no {path.name} that describes a run: {advice}")
    else:
        with replacing(path) as partial:
            partial.write_text(description, encoding="utf-8")


def render_table(results: Mapping[str, Sequence[Mapping[str, Score]]]) -> str:
    """Return a table of each seed's scores by change, "full" among them: means, intervals, seeds, differences."""
    table = Table(title="mean over seeds [95% over people] (each seed); difference to full")
    for column in ("network", *MEASURES):
        table.add_column(column)
    for change, runs in results.items():
        pairs = [([run[name] for run in runs], [run[name] for run in results["full"]]) for name in MEASURES]
        table.add_row(change, *(_format(own, full) for own, full in pairs))
    console = Console(file=StringIO(), width=150, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _format(runs: Sequence[Score], full: Sequence[Score]) -> str:
    mean = _mean(runs)
    seeds = ", ".join(f"{run.value:.1f}" for run in runs)
    return rf"{mean.value:.1f} \[{mean.low:.1f}, {mean.high:.1f}] ({seeds}); {mean.value - _mean(full).value:+.1f}"


def _mean(runs: Sequence[Score]) -> Score:
    return Score(*(sum(values) / len(runs) for values in zip(*runs, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
