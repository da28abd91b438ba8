"""Averaging weights, by hand."""

import pytest
import torch
from average_checkpoints import average_weights

RELEASED = {"weight": torch.tensor([0.0, 4.0]), "count": torch.tensor(3)}
FINETUNED = {"weight": torch.tensor([8.0, 4.0]), "count": torch.tensor(5)}


def test_a_quarter_of_the_way() -> None:
    average = average_weights(RELEASED, FINETUNED, share=0.25)
    assert average["weight"].tolist() == [2.0, 4.0]
    assert average["count"].item() == 5


def test_the_ends_are_the_networks_themselves() -> None:
    assert average_weights(RELEASED, FINETUNED, share=0)["weight"].tolist() == [0.0, 4.0]
    assert average_weights(RELEASED, FINETUNED, share=1)["weight"].tolist() == [8.0, 4.0]


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="1 weights differ in shape, first weight"):
        average_weights(RELEASED, FINETUNED | {"weight": torch.zeros(3)}, share=0.5)


def test_a_share_beyond_the_ends_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share must be 0 to 1, got 1\.5"):
        average_weights(RELEASED, FINETUNED, share=1.5)
