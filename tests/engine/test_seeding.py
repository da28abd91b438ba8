"""What is random depends on the seed, the epoch and the sample alone."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import DataLoader, Dataset

from efficientpose.engine.seeding import EpochSeedHook


class Draws(Dataset):
    """Samples that hold their number and what each generator gives."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(1).item()


def make_epochs(*, seed=5, num_workers=0, batch_size=2, persistent_workers=False, sampler_seed=123):
    """A function that returns one epoch's samples, in their order, as training would."""
    dataset = Draws()
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=DefaultSampler(dataset, seed=sampler_seed),
        num_workers=num_workers,
        persistent_workers=persistent_workers,
        collate_fn=list,
    )
    weight = torch.nn.Parameter(torch.zeros(1))
    optim_wrapper = OptimWrapper(torch.optim.SGD([weight], lr=1.0))
    runner = SimpleNamespace(seed=seed, epoch=0, train_dataloader=loader, train_loop=None, optim_wrapper=optim_wrapper)
    hook = EpochSeedHook()
    hook.before_train(runner)

    def run(epoch):
        runner.epoch = epoch
        loader.sampler.set_epoch(epoch)  # as DistSamplerSeedHook does
        hook.before_train_epoch(runner)
        samples = []
        for number, batch in enumerate(loader):
            hook.before_train_iter(runner, number)
            samples += batch
        return samples, (random.random(), np.random.rand(), torch.rand(1).item())

    return run


@pytest.fixture(autouse=True)
def disturbed():
    """Generators in a state of their own before each test."""
    random.seed()
    np.random.seed()
    torch.seed()


def without_torch(samples):
    return [sample[:3] for sample in samples]


def test_samples_do_not_depend_on_workers_or_batches():
    expected = [make_epochs()(epoch)[0] for epoch in (0, 1)]
    for settings in (
        dict(batch_size=5),
        dict(num_workers=1),
        dict(num_workers=3, batch_size=3),
        dict(num_workers=2, persistent_workers=True),
    ):
        run = make_epochs(**settings)
        found = [run(epoch)[0] for epoch in (0, 1)]
        assert [without_torch(each) for each in found] == [without_torch(each) for each in expected], settings


def test_workers_seed_pytorch_too():
    assert make_epochs(num_workers=1)(3)[0] == make_epochs(num_workers=3, batch_size=3)(3)[0]


@pytest.mark.parametrize("settings", [{}, dict(num_workers=2), dict(num_workers=2, persistent_workers=True)], ids=str)
def test_epoch_is_the_same_whether_or_not_others_went_before(settings):
    """Samples, their order, and what this process draws afterwards: the network's share."""
    run = make_epochs(**settings)
    whole = [run(epoch) for epoch in range(3)]
    resumed = make_epochs(**settings)
    assert [resumed(epoch) for epoch in (1, 2)] == whole[1:]


def test_epochs_samples_and_seeds_differ():
    run = make_epochs()
    samples = [run(0)[0], run(1)[0], make_epochs(seed=6)(0)[0]]
    orders = [[index for index, *_ in each] for each in samples]
    assert [sorted(order) for order in orders] == [list(range(10))] * 3
    assert len(set(map(tuple, orders))) == 3
    for generator in (1, 2):
        values = [sample[generator] for each in samples for sample in each]
        assert len(set(values)) == len(values) == 30


def test_order_follows_the_run_and_not_the_sampler():
    """MMEngine builds the sampler before it has read the seed of the checkpoint to resume from."""
    assert make_epochs(sampler_seed=1)(0)[0] == make_epochs(sampler_seed=2)(0)[0]


def test_training_by_iterations_is_refused():
    loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    with pytest.raises(ValueError, match="by_epoch=True"):
        EpochSeedHook().before_train(SimpleNamespace(train_loop=loop))
