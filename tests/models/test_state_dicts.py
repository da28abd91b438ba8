"""A checkpoint that does not fit is refused by every loader instead of leaving layers random."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_state_dict
from mmpose.apis import MMPoseInferencer, init_model
from mmpose.registry import MODELS
from torch import nn

from efficientpose.core.shipped_files import config_path, mpii_config_path
from efficientpose.models.state_dicts import StateDictError, load_strictly


@pytest.fixture
def component() -> nn.Module:
    network = nn.Linear(3, 2)
    load_strictly(network)
    return network


def test_fitting_tensors_are_loaded(component: nn.Module) -> None:
    source = nn.Linear(3, 2)
    load_state_dict(component, source.state_dict())
    assert torch.equal(component.weight, source.weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bias"), "missing: bias"),
        (lambda state: state.update(extra=torch.zeros(1)), "left over: extra"),
        (lambda state: state.update(weight=torch.zeros(2, 4)), r"weight has shape \(2, 4\), not \(2, 3\)"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named_and_nothing_is_changed(component: nn.Module, change, message) -> None:
    before = component.bias.clone()
    state = dict(nn.Linear(3, 2).state_dict())
    change(state)
    for load in (lambda: load_state_dict(component, state), lambda: component.load_state_dict(state, strict=False)):
        with pytest.raises(StateDictError, match=message):
            load()
    assert torch.equal(component.bias, before)


def test_mmpose_refuses_another_variants_checkpoint(untrained_checkpoint: Path) -> None:
    config = str(mpii_config_path("i"))
    with pytest.raises(StateDictError, match=r"does not fit DualEfficientNet.*(?s:.*)of another variant"):
        init_model(config, str(untrained_checkpoint), device="cpu")
    with pytest.raises(StateDictError, match="does not fit DualEfficientNet"):
        MMPoseInferencer(pose2d=config, pose2d_weights=str(untrained_checkpoint), det_model="whole_image", device="cpu")


def test_maps_are_small_at_the_start_of_training() -> None:
    torch.manual_seed(0)
    init_default_scope("mmpose")
    network = MODELS.build(Config.fromfile(config_path("efficientpose_rt_synthetic.py")).model)  # from random weights
    network.init_weights()
    maps = network(torch.randn(2, 3, 64, 64), None, mode="tensor")
    for each in (maps.pafs, *maps.heatmaps, maps.full_heatmaps):
        assert 0 < each.std() < 0.1
