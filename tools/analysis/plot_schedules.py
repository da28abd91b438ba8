"""Draw the learning rate and sigma over a whole run, as in the paper's Fig. 5, without data or training.

Example:
    python tools/analysis/plot_schedules.py configs/efficientpose_rt_mpii.py --out schedules.png

Any ``param_scheduler`` that MMEngine can build will do. The steps of an epoch follow from the training annotations and
the batch size on one device; without the annotations, from the 22,246 people of MPII's common training split.
"""

import argparse
import secrets
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.fileio import exists, join_path, load
from mmengine.model import BaseModel
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.runner import Runner
from mmengine.utils import is_abs
from mmpose.registry import HOOKS, KEYPOINT_CODECS
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.engine.cyclical_rate import DecayingTriangularLR
from efficientpose.engine.figures import save_figure
from efficientpose.engine.lookup import find_hook
from efficientpose.engine.shrinking_sigma import ShrinkingSigmaHook

MPII_TRAINING_PEOPLE = 22_246  # people in the training part of MPII's common split

LOWEST_SHARE = 1e-5  # of the highest rate that a figure shows: some schedules end next to 0
GREY = "0.3"
SMALL = 9


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """A run's schedules."""

    rates: np.ndarray  # λ of each step, (steps,)
    sigmas: np.ndarray | None  # σ of each epoch, fraction of the heatmap's size; None if the head draws none of ours
    epoch_length: int  # steps
    limit: float | None  # λ∞ of Eq. 5; None if the rate follows another schedule than the paper's

    def sigma_levels(self) -> list[tuple[float, int, int]]:
        """Return each level of σ with its first and its last epoch, counted from 1."""
        if self.sigmas is None:
            return []
        changes = np.flatnonzero(np.diff(self.sigmas)) + 1
        edges = [0, *changes.tolist(), len(self.sigmas)]
        return [(float(self.sigmas[start]), start + 1, end) for start, end in pairwise(edges)]


def main() -> int:
    """Draw the schedules and print their main numbers; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw the learning rate and sigma over a whole run.")
    parser.add_argument("config", type=Path, help="training config")
    parser.add_argument("--out", type=Path, default=Path("schedules.png"), help="image (default: %(default)s)")
    parser.add_argument("--epoch-length", type=int, help="steps of an epoch (default: people / batch size)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="change settings: key=value ...")
    arguments = parser.parse_args()
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


def epoch_length_of(config: Config) -> tuple[int, str]:
    """Return the steps of an epoch on one device, and their source in words."""
    loader = config.train_dataloader
    people = count_people(loader.dataset)
    source = str(loader.dataset.get("ann_file", "the annotation files"))
    if people is None:
        if "Mpii" not in str(loader.dataset.get("type", "Mpii")):
            raise ValueError(f"{source} is not there to count an epoch's steps: give --epoch-length")
        people, source = MPII_TRAINING_PEOPLE, f"MPII's common split, since {source} is not there"
    batch_size = int(loader.batch_size)
    num_steps = people // batch_size if loader.get("drop_last", False) else -(-people // batch_size)
    return max(1, num_steps), f"{people:,} people in batches of {batch_size}: {source}"


def count_people(dataset: ConfigDict) -> int | None:
    """Count the samples in a training set's annotation file; None if the file is not there.

    MPII's file is a list of people. From COCO's, MMPose trains on people with a keypoint and no crowds, or, bottom-up,
    on images. Wrappers of one or several datasets are followed.
    """
    if "datasets" in dataset:
        counts = [count_people(each) for each in dataset.datasets]
        return None if None in counts else sum(count for count in counts if count is not None)
    if "dataset" in dataset:
        count = count_people(dataset.dataset)
        return None if count is None else count * int(dataset.get("times", 1))
    path = dataset.get("ann_file", "")
    if path and not is_abs(path) and dataset.get("data_root"):
        path = join_path(dataset.data_root, path)
    if not path or not exists(path):
        return None
    annotations = load(path)
    if isinstance(annotations, list):
        return len(annotations)
    if not isinstance(annotations, dict) or not {"images", "annotations"} <= annotations.keys():
        kinds = "neither a list of people as mpii_train.json nor has it COCO's images and annotations"
        raise ValueError(f"{path} is {kinds}: give --epoch-length")
    if dataset.get("data_mode") == "bottomup":
        return len(annotations["images"])
    return sum(any(each.get("keypoints", ())[2::3]) and not each.get("iscrowd") for each in annotations["annotations"])


def replay_schedules(config: Config, *, epoch_length: int) -> Schedules:
    """Run a config's schedules from the first step to the last, as MMEngine's Runner would.

    The Runner builds them for a network of one weight and an empty dataset. The rate is that of the optimiser's first
    group of parameters; without a :class:`ShrinkingSigmaHook`, σ stays the codec's.
    """
    if epoch_length < 1:
        raise ValueError(f"epoch_length is {epoch_length}: an epoch needs at least one step")
    if "optimizer" not in config.get("optim_wrapper", {}):
        raise ValueError(f"{config.filename}: optim_wrapper has no optimizer; configs with several are not supported")
    with tempfile.TemporaryDirectory() as work_dir:
        runner = _build_runner(config, epoch_length=epoch_length, work_dir=work_dir)
    schedulers = runner.param_schedulers or []
    settings = find_hook(config, ShrinkingSigmaHook)
    hook = None if settings is None else HOOKS.build(settings)
    if hook is not None:
        hook.share_sigmas(schedulers)
    rates = _replay_rates(runner, schedulers, epoch_length=epoch_length)
    cyclical = next((each for each in schedulers if isinstance(each, DecayingTriangularLR)), None)
    limit = None if cyclical is None else cyclical.limits[0]
    sigmas = _replay_sigmas(config, hook, num_epochs=runner.max_epochs)
    return Schedules(rates=rates, sigmas=sigmas, epoch_length=epoch_length, limit=limit)


class _OneWeight(BaseModel):
    """The smallest network that an optimiser can be built for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Tensor:  # noqa: ARG002
        return self.weight


def _build_runner(config: Config, *, epoch_length: int, work_dir: str) -> Runner:
    """Build a Runner with the config's loop, optimiser and schedulers, and nothing else of it."""
    runner = Runner(
        model=_OneWeight(),
        work_dir=work_dir,
        train_dataloader=DataLoader(TensorDataset(torch.zeros(epoch_length))),
        train_cfg=config.train_cfg.to_dict(),
        optim_wrapper=dict(optimizer=config.optim_wrapper.optimizer.to_dict()),
        param_scheduler=config.get("param_scheduler"),
        default_scope=config.get("default_scope", "mmpose"),
        log_level="ERROR",
        experiment_name=f"schedules_{secrets.token_hex(8)}",  # MMEngine would reuse an earlier run's logs by its name
    )
    _ = runner.train_loop  # its length is the schedulers' end
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


def _replay_rates(runner: Runner, schedulers: list[_ParamScheduler], *, epoch_length: int) -> np.ndarray:
    """Step the schedulers as MMEngine's ``ParamSchedulerHook`` does; return the rate of each training step."""
    rates = np.empty(runner.max_iters)
    for step in range(runner.max_iters):
        rates[step] = runner.optim_wrapper.param_groups[0]["lr"]
        runner.optim_wrapper.step()  # without a gradient it changes nothing, but the schedulers expect it
        ends_epoch = (step + 1) % epoch_length == 0
        for scheduler in schedulers:
            if not scheduler.by_epoch or ends_epoch:
                scheduler.step()
    return rates


def _replay_sigmas(config: Config, hook: ShrinkingSigmaHook | None, *, num_epochs: int) -> np.ndarray | None:
    decoder = config.model.get("head", {}).get("decoder")
    codec = None if decoder is None else KEYPOINT_CODECS.build(decoder)
    if not isinstance(codec, FullResolutionHeatmap):
        return None
    if hook is None:
        return np.full(num_epochs, codec.sigma)
    return np.array([hook.find_sigma(epoch, num_epochs=num_epochs) for epoch in range(num_epochs)])


def draw_schedules(schedules: Schedules, *, title: str) -> Figure:
    """Draw λ of each step on a logarithmic axis and, below it, σ of each epoch (the paper's Fig. 5)."""
    has_sigma = schedules.sigmas is not None
    figure = Figure(figsize=(10, 6 if has_sigma else 4), layout="constrained")
    axes = figure.subplots(2 if has_sigma else 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + has_sigma])
    _draw_rates(axes[0, 0], schedules)
    axes[0, 0].set_title(title)
    if schedules.sigmas is not None:
        sigma_axes = axes[1, 0]
        sigma_axes.stairs(schedules.sigmas, np.arange(len(schedules.sigmas) + 1), baseline=None, linewidth=1.5)
        sigma_axes.set_ylabel("heatmap width $\\sigma$\n(fraction of its size)")
        sigma_axes.set_ylim(0, 1.2 * schedules.sigmas.max())
        text = dict(textcoords="offset points", ha="center", fontsize=SMALL, color=GREY)
        for sigma, first, last in schedules.sigma_levels():
            sigma_axes.annotate(f"{sigma:.3g}", ((first - 1 + last) / 2, sigma), (0, 4), **text)
    for each in axes[:, 0]:
        each.grid(alpha=0.3)
    axes[-1, 0].set_xlabel(f"epoch ({schedules.epoch_length:,} steps each)")
    axes[-1, 0].set_xlim(0, len(schedules.rates) / schedules.epoch_length)
    return figure


def _draw_rates(axes: Axes, schedules: Schedules) -> None:
    rates, highest = schedules.rates, schedules.rates.max()
    lowest = max(rates.min(), highest * LOWEST_SHARE)
    axes.plot(np.arange(len(rates)) / schedules.epoch_length, rates, linewidth=0.9)
    axes.set(yscale="log", ylabel="learning rate $\\lambda$", ylim=(lowest / 1.5, highest * 1.5))
    marks = {f"$\\lambda_{{max}}$ = {highest:.3g}": highest}
    if schedules.limit is not None:
        marks[f"$\\lambda_\\infty$ = {schedules.limit:.3g}"] = schedules.limit
    elif lowest <= rates[-1] < highest:
        marks[f"last: {rates[-1]:.3g}"] = rates[-1]
    text = dict(textcoords="offset points", va="center", fontsize=SMALL, color=GREY)
    for name, height in marks.items():
        axes.axhline(height, color=GREY, linewidth=0.8, linestyle=(0, (6, 4)))
        axes.annotate(name, (1, height), (4, 0), xycoords=("axes fraction", "data"), **text)


if __name__ == "__main__":
    sys.exit(main())
