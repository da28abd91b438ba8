"""Fine-tune to LSP's own 14 keypoints from the released weights and from scratch, and print a table.

python tools/analysis/transfer.py FOLDER_OF_LSPET --out work_dirs/transfer
python tools/analysis/transfer.py FOLDER_OF_LSPET --out work_dirs/transfer --photographs 200 --start released

It trains on the first 200 and the first 2,000 images of LSP Extended's training part, at one budget for both starts,
and scores PCK@0.2 of the torso on the validation part. Finished runs are not repeated, and stopped runs go on, so the
same command serves again.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from ablations import claim_folder
from mmengine.config import Config
from mmengine.runner import Runner

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.custom_skeletons.config_text import ConfigSettings, write_config
from efficientpose.custom_skeletons.reading import describe

Start = Literal["released", "scratch"]
STARTS: Final = get_args(Start)
EPOCHS: Final = {200: 16, 2000: 4}
"""Epochs by the number of images: 3,200 and 8,000 samples, 4.5 and 11 minutes of one core at 12 samples a second."""

SCORE: Final = "PCK@0.2"
CONVERTER: Final = Path(__file__).parents[1] / "dataset_converters" / "lsp2mpii.py"


@dataclass(frozen=True, kw_only=True)
class TransferRun:
    """One training on LSP's first images, from the released weights (or ``weights``), or from random ones."""

    photographs: int
    start: Start
    epochs: int
    variant: str = "rt"
    weights: str | None = None

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"lsp14_{self.variant}_{self.photographs}_{self.start}_{self.epochs}_epochs"


class TransferScore(NamedTuple):
    """A run's PCK@0.2 of the torso on LSP's validation part, %, with its 95% interval; NaN where it has none."""

    run: TransferRun
    value: float
    low: float
    high: float


def main() -> None:
    """Train what is asked for, one run after the other, and print the scores there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of LSP Extended, with joints.mat and images/")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/transfer"), help="default: %(default)s")
    parser.add_argument("--photographs", type=int, nargs="+", default=list(EPOCHS), help="default: 200 2000")
    parser.add_argument("--start", choices=STARTS, nargs="+", default=list(STARTS), help="default: both")
    parser.add_argument("--epochs", type=int, help="epochs over the images (default: 16 for 200, 4 for 2000)")
    parser.add_argument("--weights", help="checkpoint in place of the released one")
    args = parser.parse_args()
    runs = []
    for number, start in product(args.photographs, args.start):
        epochs = args.epochs or EPOCHS.get(number) or max(1, 8000 // number)
        runs.append(TransferRun(photographs=number, start=start, epochs=epochs, weights=args.weights))
    try:
        for run in runs:
            train(run, args.source, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(render([score for run in runs if (score := read_score(run, args.out)) is not None]))


def train(run: TransferRun, source: Path, folder: Path) -> None:
    """Train and score a run, or go on with one that was stopped; a run with a score is left as it is."""
    claim_folder(folder / run.name, f"{run}\n")
    if not score_path(run, folder).is_file():
        Runner.from_cfg(prepare(run, source, folder)).train()


def prepare(run: TransferRun, source: Path, folder: Path) -> Config:
    """Convert the data, write the run's config as ``tools/new_skeleton.py`` would, and return it, changed as needed."""
    data = folder / "data"
    annotations = _convert(source, data, first=run.photographs)
    (category,) = json.loads((data / annotations).read_text(encoding="utf-8"))["categories"]
    names = category["keypoints"]
    limbs = [(names[start - 1], names[end - 1]) for start, end in category["skeleton"]]
    path = folder / f"{run.name}.py"
    val = "annotations/lspet14_val.json"
    files = dict(data_root=str(data.resolve()), annotations=annotations, val_annotations=val, checkpoint=run.weights)
    settings = ConfigSettings(variant=run.variant, max_epochs=run.epochs, **files)
    path.unlink(missing_ok=True)
    write_config(describe(names, limbs), settings, path)
    config = Config.fromfile(path)
    if run.start == "scratch":
        config.model.init_cfg = None
    config.train_cfg.val_interval = run.epochs
    config.default_hooks.checkpoint.update(save_best=None, max_keep_ckpts=1)
    config.default_hooks.visual_samples.interval = run.epochs
    score = dict(type="PCKh", norm="torso", thresholds=(0.2,), out_file=str(score_path(run, folder)))
    config.val_evaluator = config.test_evaluator = [score]
    config.work_dir = str(folder / run.name)
    config.resume = True  # from nothing at first
    return config


def _convert(source: Path, out: Path, *, first: int) -> str:
    """Convert LSP to COCO's format; return the training file's path in ``out``."""
    options = ["--format", "coco", "--first", str(first), "--skip-absent"]
    command = [sys.executable, str(CONVERTER), str(source), str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))
    return f"annotations/lspet14_train_{first}.json"


def score_path(run: TransferRun, folder: Path) -> Path:
    """Return the file of a finished run's scores."""
    return folder / run.name / "scores.json"


def read_score(run: TransferRun, folder: Path) -> TransferScore | None:
    """Return a run's score; None if it is not done."""
    path = score_path(run, folder)
    if not path.is_file():
        return None
    score = json.loads(path.read_text(encoding="utf-8"))["scores"][SCORE]
    return TransferScore(run, score["value"], score["low"], score["high"])


def render(scores: list[TransferScore]) -> str:
    """Return a table in Markdown."""
    lines = ["| images | samples seen | start | PCK@0.2 of the torso, % [95% confidence] |"]
    lines += ["| ---: | ---: | --- | ---: |"]
    for run, value, low, high in scores:
        seen = f"{run.photographs * run.epochs:,}"
        lines.append(f"| {run.photographs:,} | {seen} | {run.start} | {value:.1f} [{low:.1f}, {high:.1f}] |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
