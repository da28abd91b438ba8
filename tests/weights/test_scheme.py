import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from mmpose.apis import init_model

from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.models.build import build_network
from efficientpose.weights.convert import ConversionError
from efficientpose.weights.find import WeightsNotFoundError, find_weights
from efficientpose.weights.released import ReleasedFileError
from efficientpose.weights.scheme import load_from_efficientpose, load_from_released_file


@pytest.fixture
def expected(cache, rt_released, monkeypatch):
    """RT's weights, which the cache has."""
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(rt_released.parent))
    return torch.load(find_weights("rt"), weights_only=True)["state_dict"]


def assert_loaded(network, expected):
    state_dict = network.state_dict()
    assert set(state_dict) == set(expected)
    different = [name for name, tensor in expected.items() if not torch.equal(state_dict[name], tensor)]
    assert different == []


def test_variant_as_a_checkpoint(expected):
    network = build_network("rt")
    checkpoint = load_checkpoint(network, "efficientpose://rt", strict=True)
    assert_loaded(network, expected)
    assert checkpoint["meta"]["variant"] == "rt"


def test_released_file_as_a_checkpoint(expected, rt_file):
    network = build_network("rt")
    load_checkpoint(network, str(rt_file), map_location="cpu", strict=True)
    assert_loaded(network, expected)


def test_init_model(expected):
    model = init_model(mpii_config_path("rt"), "efficientpose://rt", device="cpu")
    assert_loaded(model, expected)
    assert model.dataset_meta["dataset_name"] == "mpii"


@pytest.mark.parametrize(
    ("path", "loader"),
    [
        ("efficientpose://rt", load_from_efficientpose),
        ("weights/EfficientPoseRT.h5", load_from_released_file),
        ("~/EfficientPoseII.tflite", load_from_released_file),
    ],
)
def test_what_is_ours(path, loader):
    assert CheckpointLoader._get_checkpoint_loader(path) is loader


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("work_dirs/rt/epoch_1.pth", "load_from_local"),
        ("work_dirs/a.h5/epoch_1.pth", "load_from_local"),
        ("https://example.org/weights.h5", "load_from_http"),
        ("s3://bucket/weights.h5", "load_from_ceph"),
        ("torchvision://resnet50", "load_from_torchvision"),
    ],
)
def test_what_is_not_ours(path, name):
    assert CheckpointLoader._get_checkpoint_loader(path).__name__ == name


def test_errors(cache, rt_released, write_keras, tmp_path, monkeypatch):
    monkeypatch.setattr("efficientpose.weights.find._download_into", lambda *args, **kwargs: pytest.fail("downloaded"))
    with pytest.raises(ValueError, match="unknown variant 'v': choose one of rt, i, ii, iii, iv"):
        load_from_efficientpose("efficientpose://v")
    with pytest.raises(FileNotFoundError, match=r"none.h5: no such file"):
        load_from_released_file(str(tmp_path / "none.h5"))
    (tmp_path / "text.tflite").write_text("text")
    with pytest.raises(ReleasedFileError, match=r"text.tflite: not a TFLite model"):
        load_from_released_file(str(tmp_path / "text.tflite"))
    other = write_keras(tmp_path / "other.h5", {"dense/bias": torch.zeros(2).numpy()})
    with pytest.raises(ConversionError, match=r"other.h5 is no released EfficientPose"):
        load_from_released_file(str(other))


def test_weights_that_are_nowhere(cache, rt_released, server, monkeypatch):
    monkeypatch.setattr("efficientpose.weights.find.released_file", lambda name: pytest.fail("not reached"))
    monkeypatch.setattr(
        "efficientpose.weights.scheme.find_weights",
        lambda name: find_weights(name, allow_download=False),
    )
    with pytest.raises(WeightsNotFoundError, match="there are no weights of EfficientPose RT"):
        load_checkpoint(build_network("rt"), "efficientpose://rt")
