"""OpenPose's counts, wiring, weights and decoding; its training is tested with the other configs."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from mmpretrain.models.backbones import VGG
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.core.shipped_files import config_path
from efficientpose.core.variants import OPENPOSE
from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.models.imagenet import imagenet_url
from efficientpose.models.openpose import OpenPosePass, OpenPoseVGG

SIZE = (48, 32)
SMALL = dict(architecture="openpose", upsampling=None, num_paf_passes=4, num_blocks=2)


def build_openpose(**head):
    """The config's network, an eighth as wide where ``head`` says so."""
    config = Config.fromfile(config_path("openpose_mpii.py"))
    config.model.backbone.pretrained = None
    if head:
        config.model.backbone.base_channels = 8
        config.model.head.update(dict(in_channels=16, channels=16), **head)
    init_default_scope("mmpose")
    torch.manual_seed(0)
    return MODELS.build(config.model)


def num_parameters(module):
    return sum(each.numel() for each in module.parameters())


def test_parameters_and_flops_are_the_paper_s(count_flops, count_parameters):
    network = build_openpose()
    assert num_parameters(network) == count_parameters(network) == OPENPOSE.deployed_parameters == 25_939_664
    assert OPENPOSE.deployed_parameters == pytest.approx(OPENPOSE.reported.parameters, rel=0.001)
    additions = []  # a multiply-add for each bias that is added, as for the batch norms of the others
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *arguments: additions.append(arguments[-1].numel()))
    flops = count_flops(network, OPENPOSE.input_size) + 2 * sum(additions)
    assert flops == OPENPOSE.deployed_flops == pytest.approx(160.32e9, rel=0.001)
    assert flops == pytest.approx(OPENPOSE.reported.flops, rel=0.001)


def test_parts_have_the_parameters_worked_by_hand():
    def convolution(read, written, side=3):
        return (side * side * read + 1) * written

    def detection_pass(read, width, hidden, maps):
        first = convolution(read, width) + 2 * convolution(width, width)
        later = convolution(3 * width, width) + 2 * convolution(width, width)
        slopes = 15 * width + hidden
        return first + 4 * later + convolution(3 * width, hidden, 1) + convolution(hidden, maps, 1) + slopes

    network = build_openpose()
    assert num_parameters(network.backbone.vgg) == 5_865_536
    assert num_parameters(network.backbone.adapt) == convolution(512, 256) + convolution(256, 128) + 256 + 128
    assert [num_parameters(each) for each in network.head.passes] == [
        detection_pass(128, 96, 256, 28),
        *[detection_pass(128 + 28, 128, 512, 28)] * 3,
        detection_pass(128 + 28, 96, 256, 16),
        detection_pass(128 + 16, 128, 512, 16),
    ]


def save_classifier(layout, path):
    """Save a whole VGG-19 of random weights as MMPretrain or torchvision does; return it up to conv4_2."""
    if layout == "mmpretrain":
        features, kept, prefix = VGG(depth=19).features, 13, "backbone.features."
    else:
        features, kept, prefix = make_layers(cfgs["E"]), 23, "features."
    state = {f"{prefix}{key}": tensor for key, tensor in features.state_dict().items()}
    state[f"{prefix.replace('features', 'classifier')}0.weight"] = torch.zeros(2, 2)
    torch.save(state, path)
    return features[:kept].eval()


@pytest.mark.parametrize("layout", ["mmpretrain", "torchvision"])
def test_vgg_starts_from_the_classifier_and_computes_its_conv4_2(layout, tmp_path):
    torch.manual_seed(0)
    expected = save_classifier(layout, tmp_path / "vgg19.pth")
    backbone = OpenPoseVGG(pretrained=str(tmp_path / "vgg19.pth")).eval()
    backbone.init_weights()
    images = torch.randn(2, 3, 40, 24)
    with torch.no_grad():
        torch.testing.assert_close(backbone.vgg["features"](images), expected(images))
        (features,) = backbone(images)
    assert features.shape == (2, *backbone.out_channels, 5, 3) == (2, 128, 5, 3)


def test_checkpoint_that_does_not_fit_is_named(tmp_path):
    save_classifier("mmpretrain", tmp_path / "vgg19.pth")
    narrow = OpenPoseVGG(base_channels=8, pretrained=str(tmp_path / "vgg19.pth"))
    with pytest.raises(ValueError, match=r"vgg19\.pth is not an MMPretrain checkpoint of this VGG-19; 20 tensors"):
        narrow.init_weights()


def test_imagenet_is_mmpretrains_vgg_and_without_network_it_is_told_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr("efficientpose.models.imagenet.CheckpointLoader.load_checkpoint", fail)
    with pytest.raises(ConnectionError, match=r"vgg19_\S+\.pth cannot be fetched .*OpenPose: pretrained"):
        OpenPoseVGG(pretrained="imagenet").init_weights()
    assert imagenet_url("vgg19").endswith(".pth")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(base_channels=0), "base_channels must be at least 1, got 0"),
        (dict(pretrained="imagenet", init_cfg=dict(type="Kaiming", layer="Conv2d")), "init_cfg and pretrained"),
    ],
)
def test_what_a_backbone_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        OpenPoseVGG(**arguments)


def test_dense_blocks_join_their_three_convolutions():
    torch.manual_seed(0)
    detection_pass = OpenPosePass(in_channels=5, channels=8, num_blocks=2, num_maps=3, is_first=True).eval()
    x = torch.randn(2, 5, 4, 6)
    joined = x
    for block in detection_pass.blocks:
        first = block.first(joined)
        second = block.second(first)
        joined = torch.cat((first, second, block.third(second)), dim=1)
        assert joined.shape == (2, 18, 4, 6)  # three times three quarters of 8
    features = detection_pass(x)
    assert features.shape == (2, 16, 4, 6)
    assert features.equal(detection_pass.hidden(joined))


def test_each_later_pass_reads_what_the_previous_one_predicted_then_the_features(make_head, features):
    head = make_head(**SMALL).eval()
    read, predicted = [], []
    for each in head.passes:
        each.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        each.predict.register_forward_hook(lambda *arguments: predicted.append(arguments[-1]))
    (given,) = features()
    maps = head((given,))
    assert (len(read), len(predicted)) == (6, 6)
    assert read[0] is given
    for number in range(1, 6):
        assert read[number].equal(torch.cat((predicted[number - 1], given), dim=1))
    assert all(got is expected for got, expected in zip((*maps.earlier_pafs, maps.pafs), predicted[:4], strict=True))
    assert all(got is expected for got, expected in zip(maps.heatmaps, predicted[4:], strict=True))
    assert maps.final is maps.heatmaps[1]


@pytest.mark.parametrize("num_limbs", [0, 14])
def test_every_pass_has_a_loss_and_the_last_reaches_them_all(make_head, features, samples, num_limbs):
    head = make_head(**SMALL, num_limbs=num_limbs)
    losses = head.loss(features(), samples())
    pafs = ["loss_pafs_1", "loss_pafs_2", "loss_pafs_3", "loss_pafs"] if num_limbs else []
    assert list(losses) == [*pafs, "loss_heatmaps_1", "loss_heatmaps_2"]
    losses["loss_heatmaps_2"].backward()
    assert all(parameter.grad.any() for each in head.passes for parameter in each.predict.parameters())


def test_peaks_are_read_exactly_at_stride_8():
    """A keypoint on the centre of cell (x, y) is found at 8x + 3.5, 8y + 3.5, also from the mirrored image."""
    network = build_openpose(decoder=dict(type="FullResolutionHeatmap", input_size=SIZE, blur_sigma=0.0))
    head = network.head.eval()
    codec = FullResolutionHeatmap(input_size=SIZE)
    cells = np.random.default_rng(0).integers((0, 0), (6, 4), (1, 16, 2))
    keypoints = torch.from_numpy(8 * cells + 3.5).float()
    drawn = codec.render(keypoints, torch.ones(1, 16)).heatmaps
    head.forward_coarse = lambda feats: feats[0]
    (found,) = head.predict((drawn,), [PoseDataSample()])
    np.testing.assert_array_equal(found.keypoints, keypoints.numpy())
    np.testing.assert_array_equal(found.keypoint_scores, 1)


def test_it_can_be_traced_and_the_folding_export_says_that_it_cannot():
    network = build_openpose(decoder=dict(type="FullResolutionHeatmap", input_size=SIZE, blur_sigma=0.0)).eval()
    images = torch.randn(1, 3, SIZE[1], SIZE[0])

    class Heatmaps(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, pixels):
            return network.head.forward_deployed(network.extract_feat(pixels))

    with torch.no_grad():
        traced = torch.jit.trace(Heatmaps(), images)
        torch.testing.assert_close(traced(images + 1), network(images + 1, None, mode="tensor").final)
    with pytest.raises(ValueError, match="got OpenPoseVGG with OpenPosePass: trace the network itself"):
        deploy(network, ExportOptions())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(architecture="hourglass"), 'architecture must be "efficientpose" or "openpose", got \'hourglass\''),
        (dict(num_paf_passes=0), "num_paf_passes must be at least 1"),
    ],
)
def test_what_a_head_cannot_be(make_head, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_head(**arguments)
