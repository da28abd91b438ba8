"""Fine-tuning to another skeleton: LSP's own 14 keypoints from few photographs, from other weights and from none."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from ablation_runs import claim_folder
from lsp import LSP_NAMES
from lsp2mpii import LSP_LIMBS, convert_to_coco
from mmengine.config import Config
from mmengine.runner import Runner

from efficientpose.custom_skeletons.config_text import ConfigSettings, write_config
from efficientpose.custom_skeletons.reading import describe

Start = Literal["released", "scratch"]
STARTS: Final = get_args(Start)
EPOCHS: Final = {200: 16, 2000: 4}
"""Passes over so many photographs: 3,200 and 8,000 samples, 4.5 and 11 minutes of one core at 12 samples a second."""

SCORE: Final = "PCK@0.2"


@dataclass(frozen=True, kw_only=True)
class TransferRun:
    """One training.

    Attributes:
        photographs: How many, the first of LSP's training part.
        start: From the released weights, joints of both skeletons kept, or from random ones.
        epochs: Passes over them.
        variant: Of the network.
        weights: What "released" stands for; None for the variant's released weights.
    """

    photographs: int
    start: Start
    epochs: int
    variant: str = "rt"
    weights: str | None = None

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"lsp14_{self.variant}_{self.photographs}_{self.start}_{self.epochs}_epochs"


class TransferScore(NamedTuple):
    """A run's PCK@0.2 of the torso on LSP's validation part, %, with its 95% interval; NaN where it has none."""

    run: TransferRun
    value: float
    low: float
    high: float


def score_path(run: TransferRun, folder: Path) -> Path:
    """Return where a finished run's scores are."""
    return folder / run.name / "scores.json"


def prepare(run: TransferRun, source: Path, folder: Path) -> Config:
    """Convert the data, write the run's config as ``tools/new_skeleton.py`` would, and return it, changed as needed.

    Args:
        run: What to train.
        source: Folder of LSP Extended, with ``joints.mat`` and ``images/``.
        folder: Where data and runs go.

    Raises:
        OSError: If a file is absent or cannot be written.
        ValueError: If the source is not what it should be, or has too few photographs.
    """
    data = folder / "data"
    converted = convert_to_coco(source, data, first=run.photographs, skip_absent=True)
    path = folder / f"{run.name}.py"
    settings = ConfigSettings(
        variant=run.variant,
        data_root=str(data.resolve()),
        annotations=f"annotations/{converted.training_file.name}",
        val_annotations="annotations/lspet14_val.json",
        checkpoint=run.weights,
        max_epochs=run.epochs,
    )
    path.unlink(missing_ok=True)
    write_config(describe(LSP_NAMES, LSP_LIMBS), settings, path)
    config = Config.fromfile(path)
    if run.start == "scratch":
        config.model.init_cfg = None
    config.train_cfg.val_interval = run.epochs
    config.default_hooks.checkpoint.update(save_best=None, max_keep_ckpts=1)
    config.default_hooks.visual_samples.interval = run.epochs
    score = dict(type="PCKh", norm="torso", thresholds=(0.2,), out_file=str(score_path(run, folder)))
    config.val_evaluator = config.test_evaluator = [score]
    config.work_dir = str(folder / run.name)
    config.resume = True  # of nothing at first
    return config


def train(run: TransferRun, source: Path, folder: Path) -> None:
    """Train and score a run, or go on with one that was stopped; nothing where it has a score.

    Args:
        run: What to train.
        source: As for :func:`prepare`.
        folder: The same.

    Raises:
        OSError: As in :func:`prepare`.
        ValueError: The same, or if the run's folder is another's.
    """
    claim_folder(folder / run.name, f"{run}\n")
    if not score_path(run, folder).is_file():
        Runner.from_cfg(prepare(run, source, folder)).train()


def read_score(run: TransferRun, folder: Path) -> TransferScore | None:
    """Return a run's score; None if it is not done."""
    path = score_path(run, folder)
    if not path.is_file():
        return None
    score = json.loads(path.read_text(encoding="utf-8"))["scores"][SCORE]
    return TransferScore(run, score["value"], score["low"], score["high"])


def render(scores: list[TransferScore]) -> str:
    """Return a table in Markdown."""
    lines = [
        "| photographs | samples seen | start | PCK@0.2 of the torso, % [95% confidence] |",
        "| ---: | ---: | --- | ---: |",
    ]
    for run, value, low, high in scores:
        seen = f"{run.photographs * run.epochs:,}"
        lines.append(f"| {run.photographs:,} | {seen} | {run.start} | {value:.1f} [{low:.1f}, {high:.1f}] |")
    return "\n".join(lines)
