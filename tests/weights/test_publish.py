"""A training's checkpoint loses its optimiser and history, and nothing else."""

from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from efficientpose.models.build import build_network
from efficientpose.weights.checkpoint import CheckpointError, load_checkpoint
from efficientpose.weights.publish import publish_checkpoint


@pytest.fixture
def training_checkpoint(tmp_path: Path) -> Path:
    """What MMEngine's hook writes, of a network with channels innermost."""
    torch.manual_seed(0)
    network = build_network("rt").to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    history = dict(log_scalars={"train/loss": HistoryBuffer([0.5], [1])}, runtime_info={})
    torch.save(
        dict(
            meta=dict(epoch=3), state_dict=network.state_dict(), optimizer=optimizer.state_dict(), message_hub=history
        ),
        tmp_path / "epoch_3.pth",
    )
    return tmp_path / "epoch_3.pth"


def test_weights_are_kept_alone(training_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "rt.pth"
    publish_checkpoint(training_checkpoint, out, variant="rt", source="made up")
    published = torch.load(out, weights_only=True)
    assert published.keys() == {"meta", "state_dict"}
    assert (published["meta"]["variant"], published["meta"]["source"]) == ("rt", "made up")
    trained = torch.load(training_checkpoint, weights_only=False)["state_dict"]
    assert published["state_dict"].keys() == trained.keys()
    for name, tensor in published["state_dict"].items():
        assert tensor.equal(trained[name])
        assert tensor.is_contiguous()
    assert out.stat().st_size < 4e6 < training_checkpoint.stat().st_size * 1.2
    load_checkpoint(build_network("rt"), out, variant="rt")


def test_of_another_variant_or_name(training_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not fit EfficientPose I"):
        publish_checkpoint(training_checkpoint, tmp_path / "i.pth", variant="i", source="made up")
    with pytest.raises(ValueError, match=r"rt\.onnx: a checkpoint's name ends in \.pth"):
        publish_checkpoint(training_checkpoint, tmp_path / "rt.onnx", variant="rt", source="made up")
    assert not list(tmp_path.glob("*i.pth"))
