import re
from urllib.error import URLError

import pytest
import torch
from mmpretrain.models.backbones import EfficientNet
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS

from efficientpose.core.variants import VARIANTS
from efficientpose.models import backbone
from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.imagenet import imagenet_url

CLASSIFIER = dict(
    _scope_="mmpretrain",  # whatever scope other tests left behind
    type="ImageClassifier",
    backbone=dict(type="EfficientNet", arch="b0"),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=10, in_channels=1280),
)


@pytest.fixture(scope="module")
def classifier():
    """State dict of a whole EfficientNet-B0 classifier as MMPretrain saves it, random in every tensor."""
    network = MODELS.build(CLASSIFIER)
    assert isinstance(network, ImageClassifier)
    assert isinstance(network.backbone, EfficientNet)
    generator = torch.Generator().manual_seed(0)
    state = network.state_dict()
    return {
        key: torch.rand(tensor.shape, generator=generator) + 0.5 if tensor.is_floating_point() else tensor + 7
        for key, tensor in state.items()
    }


@pytest.fixture
def save(tmp_path):
    """Writes a checkpoint and returns its path."""

    def write(state, *, wrapped=True):
        path = tmp_path / "efficientnet-b0.pth"
        torch.save({"meta": {}, "state_dict": state} if wrapped else state, path)
        return str(path)

    return write


def initialise(**arguments):
    backbone = DualEfficientNet(high_arch="b0", **arguments)
    backbone.init_weights()
    return backbone


@pytest.mark.parametrize("wrapped", [True, False])
def test_both_branches_start_from_the_classifier_exactly(classifier, save, wrapped):
    path = save(classifier, wrapped=wrapped)
    backbone = initialise(low_arch="b0", high_pretrained=path, low_pretrained=path)
    for branch in backbone.branches:
        state = branch.state_dict()
        assert {key.split(".")[1] for key in state} == {str(layer) for layer in range(len(branch.layers))}
        for key, tensor in state.items():
            assert tensor.equal(classifier[f"backbone.{key}"]), key


def test_a_branch_without_checkpoint_stays_random(classifier, save):
    backbone = initialise(low_arch="b0", high_pretrained=save(classifier))
    assert not backbone.low.layers[0].conv.weight.equal(classifier["backbone.layers.0.conv.weight"])
    assert backbone.high.layers[0].conv.weight.equal(classifier["backbone.layers.0.conv.weight"])


def test_nothing_is_read_before_init_weights():
    DualEfficientNet(high_arch="b0", high_pretrained="absent.pth")


def test_backbone_alone_without_its_prefix_loads_as_well(classifier, save):
    bare = {key.removeprefix("backbone."): tensor for key, tensor in classifier.items() if "head" not in key}
    backbone = initialise(high_pretrained=save(bare))
    assert backbone.high.layers[3][0].linear_conv.conv.weight.equal(bare["layers.3.0.linear_conv.conv.weight"])


def test_missing_tensor_is_named(classifier, save):
    state = dict(classifier)
    del state["backbone.layers.2.1.se.conv1.conv.bias"]
    with pytest.raises(ValueError, match=r"1 tensors do not fit:\n  missing: layers\.2\.1\.se\.conv1\.conv\.bias"):
        initialise(high_pretrained=save(state))


@pytest.mark.parametrize("key", ["backbone.layers.0.conv.bias", "backbone.layers.1.9.se.conv1.conv.bias", "fc.weight"])
def test_unknown_tensor_is_named(classifier, save, key):
    state = dict(classifier) | {key: torch.zeros(1)}
    with pytest.raises(ValueError, match=rf"1 tensors do not fit:\n  left over: {key.removeprefix('backbone.')}"):
        initialise(high_pretrained=save(state))


def test_another_shape_is_named_with_the_right_one(classifier, save):
    state = classifier | {"backbone.layers.0.conv.weight": torch.zeros(40, 3, 3, 3)}
    message = r"1 tensors do not fit:\n  layers\.0\.conv\.weight has shape \(40, 3, 3, 3\), not \(32, 3, 3, 3\)"
    with pytest.raises(ValueError, match=message):
        initialise(high_pretrained=save(state))


@pytest.mark.parametrize("arch", ["b1", "b2", "b4"])
def test_another_architecture_s_checkpoint_does_not_load(save, arch):
    path = save({f"backbone.{key}": tensor for key, tensor in EfficientNet(arch=arch).state_dict().items()})
    with pytest.raises(ValueError, match=r"b0\.pth is not an MMPretrain checkpoint of this EfficientNet"):
        initialise(high_pretrained=path)


def test_checkpoint_of_something_else_lists_no_more_than_twenty_tensors(save):
    with pytest.raises(ValueError, match=r"missing: layers\.0\.conv\.weight") as failure:
        initialise(high_pretrained=save({"weight": torch.zeros(1)}))
    assert len(str(failure.value).splitlines()) == 21


def test_failed_loading_changes_nothing(classifier, save):
    state = dict(classifier)
    del state["backbone.layers.3.0.linear_conv.conv.weight"]
    backbone = DualEfficientNet(high_arch="b0", high_pretrained=save(state))
    with pytest.raises(ValueError, match="missing"):
        backbone.init_weights()
    assert not backbone.high.layers[0].conv.weight.equal(classifier["backbone.layers.0.conv.weight"])


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.pth"
    with pytest.raises(FileNotFoundError, match=r"absent\.pth"):
        initialise(high_pretrained=str(path))


def test_imagenet_stands_for_mmpretrains_own_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(backbone, "load_imagenet_weights", lambda _branch, checkpoint: asked.append(checkpoint))
    DualEfficientNet(high_arch="b2", low_arch="b0", high_pretrained="imagenet", low_pretrained="own.pth").init_weights()
    url, path = asked
    assert url.startswith("https://")
    assert "efficientnet-b2_3rdparty_8xb32-aa_in1k" in url
    assert path == "own.pth"
    with pytest.raises(ValueError, match="no AutoAugment ImageNet checkpoint of EfficientNet 'b8'"):
        imagenet_url("b8")
    with pytest.raises(ValueError, match=r"MMPretrain has no .* checkpoint of EfficientNet 'lite0'; name a file or"):
        imagenet_url("lite0")


def test_checkpoint_that_cannot_be_fetched_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr("efficientpose.models.imagenet.CheckpointLoader.load_checkpoint", fail)
    with pytest.raises(ConnectionError, match=r"b0.*\.pth cannot be fetched \(Name or .*or set these to None to start"):
        initialise(high_pretrained="imagenet")


@pytest.mark.parametrize("content", ["text", "list"])
def test_file_that_is_no_checkpoint_is_named(content, tmp_path):
    path = tmp_path / "classifier.pth"
    if content == "text":
        path.write_text("hello")
    else:
        torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"classifier\.pth"):
        initialise(high_pretrained=str(path))


@pytest.mark.parametrize(
    "variant", [each for each in VARIANTS.values() if not each.is_lite], ids=lambda each: each.name
)
def test_mmpretrain_has_a_checkpoint_for_every_branch(variant):
    for arch in filter(None, (variant.high_arch, variant.low_arch)):
        assert re.fullmatch(rf"https://\S+/efficientnet-{arch}_\S+\.pth", imagenet_url(arch))
