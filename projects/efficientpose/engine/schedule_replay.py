"""The learning rate and sigma of a whole run, step by step, without data or training."""

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.fileio import exists, join_path, load
from mmengine.model import BaseModel
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.runner import Runner
from mmengine.utils import is_abs
from mmpose.registry import HOOKS, KEYPOINT_CODECS
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.engine.cyclical_rate import DecayingTriangularLR
from efficientpose.engine.resuming import find_hook
from efficientpose.engine.shrinking_sigma import ShrinkingSigmaHook

MPII_TRAINING_PEOPLE = 22_246
"""People in the training part of MPII's common split."""


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """What a run's schedules do.

    Attributes:
        rates: λ of each step, (steps,).
        sigmas: σ of each epoch as a fraction of the map, (epochs,); None if the head draws no targets of ours.
        epoch_length: Steps of an epoch.
        limit: λ∞ of Eq. 5; None if the rate follows another schedule than the paper's.
    """

    rates: np.ndarray
    sigmas: np.ndarray | None
    epoch_length: int
    limit: float | None

    def sigma_levels(self) -> list[tuple[float, int, int]]:
        """Return each level of σ with its first and its last epoch, counted from 1."""
        if self.sigmas is None:
            return []
        changes = np.flatnonzero(np.diff(self.sigmas)) + 1
        starts = [0, *changes.tolist()]
        ends = [*changes.tolist(), len(self.sigmas)]
        return [(float(self.sigmas[start]), start + 1, end) for start, end in zip(starts, ends, strict=True)]


class _OneWeight(BaseModel):
    """The least that an optimiser can be built for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Tensor:  # noqa: ARG002
        return self.weight


def count_people(dataset: ConfigDict) -> int | None:
    """Return how many samples a training set's annotation file lists; None if the file is not there.

    MPII's file is a list of people. Of COCO's, MMPose trains on people with a keypoint and no crowds, or, bottom-up, on
    pictures. Wrappers of one or several data sets count theirs.

    Raises:
        ValueError: If the file is neither.
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
        raise ValueError(
            f"{path} is neither a list of people as mpii_train.json nor has it COCO's images and annotations: give "
            "--epoch-length"
        )
    if dataset.get("data_mode") == "bottomup":
        return len(annotations["images"])
    return sum(any(each.get("keypoints", ())[2::3]) and not each.get("iscrowd") for each in annotations["annotations"])


def epoch_length_of(config: Config) -> tuple[int, str]:
    """Return the steps of an epoch on one device, and in words what they were counted from.

    Raises:
        ValueError: If they cannot be counted; MPII's, of which the number is known, need no file.
    """
    loader = config.train_dataloader
    people = count_people(loader.dataset)
    source = f"{loader.dataset.get('ann_file', 'the annotation files')}"
    if people is None:
        if "Mpii" not in str(loader.dataset.get("type", "Mpii")):
            raise ValueError(f"{source} is not there to count an epoch's steps: give --epoch-length")
        people, source = MPII_TRAINING_PEOPLE, f"MPII's common split, since {source} is not there"
    batch_size = int(loader.batch_size)
    num_steps = people // batch_size if loader.get("drop_last", False) else -(-people // batch_size)
    return max(1, num_steps), f"{people:,} people in batches of {batch_size}: {source}"


def replay_schedules(config: Config, *, epoch_length: int) -> Schedules:
    """Run a config's schedules from the first step to the last, as MMEngine's Runner would.

    The Runner builds them itself, for a network of one weight and an empty data set. Without a
    :class:`ShrinkingSigmaHook`, σ stays the codec's. The rate is that of the optimiser's first group of parameters.

    Args:
        config: A training config.
        epoch_length: Steps of an epoch.

    Raises:
        ValueError: If the config has several optimisers, or the epoch no step.
    """
    if epoch_length < 1:
        raise ValueError(f"epoch_length is {epoch_length}: an epoch needs at least one step")
    if "optimizer" not in config.get("optim_wrapper", {}):
        raise ValueError(f"{config.filename}: optim_wrapper has no optimizer; configs with several are not supported")
    with tempfile.TemporaryDirectory() as work_dir:
        runner = _build_runner(config, epoch_length=epoch_length, work_dir=Path(work_dir))
    schedulers = runner.param_schedulers or []
    settings = find_hook(config, ShrinkingSigmaHook)
    hook = None if settings is None else HOOKS.build(settings)
    if hook is not None:
        hook.lead(schedulers)
    rates = _replay_rates(runner, schedulers, epoch_length=epoch_length)
    cyclical = next((each for each in schedulers if isinstance(each, DecayingTriangularLR)), None)
    limit = None if cyclical is None else cyclical.limits[0]
    sigmas = _replay_sigmas(config, hook, num_epochs=runner.max_epochs)
    return Schedules(rates=rates, sigmas=sigmas, epoch_length=epoch_length, limit=limit)


def _build_runner(config: Config, *, epoch_length: int, work_dir: Path) -> Runner:
    """Build a Runner with the config's loop, optimiser and schedulers, and nothing else of it."""
    runner = Runner(
        model=_OneWeight(),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(TensorDataset(torch.zeros(epoch_length))),
        train_cfg=config.train_cfg.to_dict(),
        optim_wrapper=dict(optimizer=config.optim_wrapper.optimizer.to_dict()),
        param_scheduler=config.get("param_scheduler"),
        default_scope=config.get("default_scope", "mmpose"),
        log_level="ERROR",
        experiment_name=f"schedules_{secrets.token_hex(8)}",  # MMEngine keeps what it made for a name
    )
    _ = runner.train_loop  # the schedulers' end is its length
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
