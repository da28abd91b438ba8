"""A training's checkpoint loses its optimiser and history, and nothing else."""

from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmpose.apis import init_model

from efficientpose import PoseEstimator
from efficientpose.core.shipped_files import config_path
from efficientpose.models.build import build_network
from efficientpose.weights.checkpoint import CheckpointError, load_checkpoint, publish_checkpoint


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


def test_a_network_of_another_skeleton(tmp_path: Path) -> None:
    config = config_path("efficientpose_rt_coco.py")
    trained = init_model(str(config), device="cpu")
    torch.save({"meta": {}, "state_dict": trained.state_dict()}, tmp_path / "epoch_1.pth")
    out = tmp_path / "ours.pth"
    network = init_model(str(config), device="cpu")
    publish_checkpoint(tmp_path / "epoch_1.pth", out, variant="ours", source="made up", network=network)
    meta = torch.load(out, weights_only=True)["meta"]
    assert meta["keypoint_names"][:2] == ["nose", "left_eye"]
    assert len(meta["keypoint_names"]) == len(meta["flip_indices"]) == 17
    estimator = PoseEstimator.load(config=config, weights=out)
    for name, tensor in estimator.model.state_dict().items():
        assert tensor.equal(trained.state_dict()[name])
    with pytest.raises(CheckpointError, match="does not fit EfficientPose RT"):
        publish_checkpoint(tmp_path / "epoch_1.pth", tmp_path / "rt.pth", variant="rt", source="made up")


@pytest.mark.parametrize("options", [["--config", "absent.py"], ["--variant", "rt", "--config", "a.py"], []])
def test_what_the_tool_refuses(run_tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = run_tool("publish_checkpoint.py", "epoch_1.pth", "ours.pth", "--source", "made up", *options)
    assert status in (1, 2)
    assert "error:" in error
