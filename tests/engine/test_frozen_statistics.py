"""The statistics of batch norms stay, and what is frozen does not learn."""

from types import SimpleNamespace

import pytest
import torch

from efficientpose.engine import FrozenStatisticsHook
from efficientpose.models.build import build_network


@pytest.fixture
def runner():
    torch.manual_seed(0)
    return SimpleNamespace(model=build_network("rt"))


def test_statistics_and_frozen_parameters_stay(runner):
    hook, network = FrozenStatisticsHook(frozen=["backbone."]), runner.model
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = network.eval()(images, None, mode="tensor").final
    hook.before_train(runner)
    network.train()  # MMEngine does so at each epoch's start
    hook.before_train_epoch(runner)
    found = network(images, None, mode="tensor").final
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    found.square().mean().backward()
    has_gradient = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert has_gradient
    assert not any(name.startswith("backbone.") for name in has_gradient)


def test_an_unknown_prefix_is_refused(runner):
    with pytest.raises(ValueError, match=r"frozen 'spine\.': no parameter's name begins so"):
        FrozenStatisticsHook(frozen=["spine."]).before_train(runner)
