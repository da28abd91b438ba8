import errno
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES
from efficientpose.weights.checkpoint import (
    CheckpointError,
    load_checkpoint,
    make_checkpoint,
    read_checkpoint,
    save_checkpoint,
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))


@pytest.fixture
def path(tmp_path, network):
    path = tmp_path / "network.pth"
    save_checkpoint(make_checkpoint(network.state_dict(), variant="rt", source="EfficientPoseRT.h5"), path)
    return path


def rewrite(path, **changes):
    checkpoint = torch.load(path, weights_only=True) | changes
    torch.save(checkpoint, path)


def test_round_trip(path, network):
    other = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    load_checkpoint(other, path, variant="rt")
    for name, tensor in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


def test_holds_tensors_and_plain_values_alone(path):
    meta = torch.load(path, weights_only=True)["meta"]
    assert (meta["variant"], meta["source"]) == ("rt", "EfficientPoseRT.h5")
    assert meta["keypoint_names"] == list(KEYPOINT_NAMES)
    assert meta["flip_indices"] == list(FLIP_INDICES)


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()
    replace = Path.replace

    def fail(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(make_checkpoint({}, variant="rt", source="new"), path)
    monkeypatch.setattr(Path, "replace", replace)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_saved_with_the_usual_permissions(path):
    path.with_name("plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(path.with_name("plain").stat().st_mode)


def test_save_where_there_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none: no such folder; make it before writing a.pth"):
        save_checkpoint({}, tmp_path / "none" / "a.pth")


def test_a_training_checkpoint(path, network):
    """MMEngine stores NumPy arrays of the data set and its loss history, too."""
    hub = MessageHub("training")
    hub.update_scalar("train/loss", 1.5)
    hub.update_info("iter", 3)
    meta = dict(epoch=1, dataset_meta=dict(sigmas=np.ones(16, np.float32), flip_indices=[1], num=np.int64(3)))
    rewrite(path, meta=meta, message_hub=hub.state_dict())
    load_checkpoint(network, path, variant="rt")
    checkpoint = read_checkpoint(path)
    assert checkpoint["meta"]["dataset_meta"]["sigmas"].sum() == 16
    assert checkpoint["message_hub"]["log_scalars"]["train/loss"].current() == 1.5


@pytest.mark.parametrize(
    "call",
    [
        lambda marker: (Path.touch, (marker,)),
        lambda marker: (getattr, (torch.Tensor, "mean")),
        lambda marker: (getattr, (HistoryBuffer, "__init__")),
    ],
    ids=["call", "attribute of another class", "another attribute"],
)
def test_code_is_not_executed(tmp_path, call):
    marker = tmp_path / "executed"

    class Payload:
        def __reduce__(self):
            return call(marker)

    path = tmp_path / "payload.pth"
    for write in (torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2))):
        write(dict(state_dict=Payload()), path)
        with pytest.raises(CheckpointError, match=r"payload.pth is not a checkpoint that holds tensors alone"):
            read_checkpoint(path)
    assert not marker.exists()


def test_another_variant(path, network):
    with pytest.raises(CheckpointError, match=r"network.pth is of EfficientPose RT, not II: use --model rt"):
        load_checkpoint(network, path, variant="ii")


@pytest.mark.parametrize("meta", [None, "text", {}, {"variant": "rt"}])
def test_meta_may_be_anything(path, network, meta):
    rewrite(path, meta=meta)
    load_checkpoint(network, path, variant="rt")


@pytest.mark.parametrize("kept", [0, 10, 500, -30])
def test_truncated(path, network, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"network.pth is not a checkpoint .* or is damaged \(.+\)"):
        load_checkpoint(network, path, variant="rt")


def test_damaged(path, network):
    data = bytearray(path.read_bytes())
    pickled = data.index(b"state_dict")
    data[pickled - 20 : pickled + 200] = bytes(220)
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"network.pth is not a checkpoint .* or is damaged"):
        load_checkpoint(network, path, variant="rt")


def test_no_advice_to_load_unsafely(tmp_path):
    path = tmp_path / "text.pth"
    path.write_text("not a checkpoint")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"weights": {}}, {"state_dict": [1]}], ids=str)
def test_no_state_dict(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"other.pth has no state_dict: it is not an MMPose checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("state_dict", [{"a": 1.0}, {3: torch.zeros(1)}], ids=["number", "name"])
def test_state_dict_of_something_else(path, state_dict):
    rewrite(path, state_dict=state_dict)
    with pytest.raises(CheckpointError, match=r"network.pth: .* of its state_dict is no tensor"):
        read_checkpoint(path)


def change(state_dict, problem):
    changed = dict(state_dict)
    if problem == "missing":
        del changed["0.weight"]
    elif problem == "left over":
        changed["2.weight"] = torch.zeros(1)
    else:
        changed["0.weight"] = torch.zeros(3, 3, 1, 1)
    return changed


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("missing", r'Missing key\(s\).*"0.weight"'),
        ("left over", r'Unexpected key\(s\).*"2.weight"'),
        ("shape", r"size mismatch for 0.weight"),
    ],
)
def test_tensors_that_do_not_fit(path, network, problem, message):
    rewrite(path, state_dict=change(network.state_dict(), problem))
    with pytest.raises(CheckpointError, match=rf"(?s)network.pth does not fit EfficientPose RT: .*{message}"):
        load_checkpoint(network, path, variant="rt")


def test_no_such_file(tmp_path, network):
    with pytest.raises(FileNotFoundError, match=r"none.pth: no such checkpoint"):
        load_checkpoint(network, tmp_path / "none.pth", variant="rt")
