"""Random numbers that depend on the seed, the epoch and the sample alone, so that a resumed run goes on exactly.

MMEngine seeds the data-loading workers once, when they start: a resumed run would augment its samples as the first
epoch's.
"""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast, get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import get_worker_info

_PROCESS, _SAMPLE, _ORDER = 0, 1, 2


def _draw_seeds(seed: int, *key: int) -> tuple[int, int, int]:
    """Return seeds for Python's, NumPy's and PyTorch's generators; different keys give unrelated seeds."""
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(3)
    return int(words[0]), int(words[1]), int(words[2])


class _SeededSamples:
    """Fetches a dataset's samples, and seeds the generators anew for each.

    It becomes the dataset's ``__getitems__``, so it works for any dataset, and in workers that live on from epoch to
    epoch.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        # Memory shared with the workers, which may be running when the epoch changes.
        self.seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()

    def __call__(self, indices: Sequence[int]) -> list[Any]:
        return [self._fetch(index) for index in indices]

    def _fetch(self, index: int) -> Any:
        seed, epoch = self.seed_and_epoch.tolist()
        for_python, for_numpy, for_torch = _draw_seeds(seed, _SAMPLE, epoch, index)
        random.seed(for_python)
        np.random.seed(for_numpy)
        if get_worker_info() is not None:  # in the main process the network draws from it too
            torch.default_generator.manual_seed(for_torch)
        return self.dataset[index]


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed every epoch by its number: its shuffling, the network's random layers, each sample's augmentation.

    A sample's augmentation depends on the run's seed, the epoch and the sample's place in the dataset alone, however
    many workers and processes share the work and however large the batches are. The seed is ``randomness.seed``, or
    drawn and logged by MMEngine if that is None; a resumed run takes its checkpoint's. On a GPU, bit-equal results
    also need ``randomness.deterministic=True``. Gradients that an epoch's last batches accumulated without a step are
    dropped, because no checkpoint holds them.

    Raises:
        ValueError: If the training counts iterations instead of epochs, or an epoch has fewer batches than are
            accumulated for a step.
    """

    def before_train(self, runner: Runner) -> None:
        """Wrap the training samples (MMEngine's contract)."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError("EpochSeedHook needs a training by epochs: give train_cfg by_epoch=True and max_epochs")
        counts = getattr(runner.optim_wrapper, "_accumulative_counts", 1)  # several optimisers have none in common
        num_batches = len(runner.train_dataloader)
        if num_batches < counts:
            raise ValueError(
                f"an epoch of {num_batches} batches takes no step when {counts} are accumulated: lower "
                "optim_wrapper.accumulative_counts"
            )
        dataset = runner.train_dataloader.dataset
        self.samples = _SeededSamples(dataset)
        dataset.__getitems__ = self.samples
        # The first process's: all must shuffle alike.
        seed = torch.tensor(runner.seed)
        broadcast(seed)
        self.seed = int(seed)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the samples, their order, and this process; drop gradients left over (MMEngine's contract)."""
        runner.optim_wrapper.zero_grad()
        self.samples.seed_and_epoch.copy_(torch.tensor([self.seed, runner.epoch]))
        loader = runner.train_dataloader
        samplers: list[Any] = [loader.sampler, getattr(loader.batch_sampler, "sampler", None)]
        for sampler in samplers:
            if hasattr(sampler, "seed"):
                # MMEngine adds the epoch to it, so runs of seeds 0 and 1 would share all orders but one.
                sampler.seed = _draw_seeds(self.seed, _ORDER)[2]
        self._seed_process(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Seed this process once more: starting workers draws from its generator (MMEngine's contract)."""
        if batch_idx == 0:
            self._seed_process(runner)

    def _seed_process(self, runner: Runner) -> None:
        for_python, for_numpy, for_torch = _draw_seeds(self.seed, _PROCESS, runner.epoch, get_rank())
        random.seed(for_python)
        np.random.seed(for_numpy)
        torch.manual_seed(for_torch)
