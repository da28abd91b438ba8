"""A checkpoint that does not fit stops MMEngine's runner instead of leaving layers random."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from efficientpose.engine import StrictCheckpointHook


@pytest.fixture
def runner() -> SimpleNamespace:
    return SimpleNamespace(model=nn.Linear(3, 2))


def test_a_fitting_checkpoint_passes(runner: SimpleNamespace) -> None:
    StrictCheckpointHook().after_load_checkpoint(runner, {"state_dict": nn.Linear(3, 2).state_dict()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bias"), "missing: bias"),
        (lambda state: state.update(extra=torch.zeros(1)), "left over: extra"),
        (lambda state: state.update(weight=torch.zeros(2, 4)), r"weight has shape \(2, 4\), not \(2, 3\)"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(runner: SimpleNamespace, change, message: str) -> None:
    state = dict(nn.Linear(3, 2).state_dict())
    change(state)
    with pytest.raises(ValueError, match=message):
        StrictCheckpointHook().after_load_checkpoint(runner, {"state_dict": state})
