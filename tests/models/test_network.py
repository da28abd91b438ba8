"""The whole estimator, in all variants."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from scipy.ndimage import gaussian_filter
from torch import nn

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.core.skeleton import FLIP_INDICES
from efficientpose.core.variants import VARIANTS
from efficientpose.models.build import build_network
from efficientpose.weights.convert import convert_layers
from efficientpose.weights.released import read_released

# Parameters and batch-norm statistics of the paper's networks with their dense upsampling: everything that is trained,
# and the graph that is deployed, without the prediction convolutions of the earlier passes.
NUM_ALL = dict(rt=465_608, i=726_116, ii=1_740_380, iii=3_238_264, iv=6_571_542)
NUM_DEPLOYED = dict(rt=460_284, i=719_736, ii=1_732_944, iii=3_229_772, iv=6_560_938)
# The Lite variants' were released as the deployed graph; the two prediction convolutions are (3C + 1) · (28 + 16) more.
NUM_DEPLOYED |= dict(rt_lite=404_608, i_lite=591_632, ii_lite=1_464_960)
NUM_ALL |= dict(rt_lite=404_608 + 121 * 44, i_lite=591_632 + 145 * 44, ii_lite=1_464_960 + 169 * 44)
SIZE = (96, 64)


def build_small(variant, *, size=SIZE, upsampling="bilinear"):
    """A variant with random weights for inputs of ``size``; its batch norms have seen images, as after training."""
    torch.manual_seed(0)
    network = build_network(variant, upsampling=upsampling)
    network.head.decoder = FullResolutionHeatmap(input_size=size)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(random_images(size, num=4, seed=1), None, mode="tensor")
    return network.eval()


def random_images(size, *, num=1, seed=0):
    width, height = size
    return torch.randn(num, 3, height, width, generator=torch.Generator().manual_seed(seed))


def sample(size):
    """What the estimator needs of a crop that is the whole image."""
    truth = InstanceData(bboxes=np.array([[0, 0, *size]], np.float32), bbox_scores=np.ones(1, np.float32))
    crop = dict(input_size=size, input_scale=np.array(size), input_center=np.array(size) / 2)
    return PoseDataSample(gt_instances=truth, metainfo=crop | dict(flip_indices=list(FLIP_INDICES)))


def predict(network, images):
    """Keypoints (B, 16, 2) and final heatmaps (B, 16, h, w) as MMPose's estimator gives them."""
    size = (images.shape[-1], images.shape[-2])
    network.test_cfg["output_heatmaps"] = True
    with torch.no_grad():
        results = network(images, [sample(size) for _ in images], mode="predict")
    keypoints = np.concatenate([result.pred_instances.keypoints for result in results])
    return keypoints, np.stack([result.pred_fields.heatmaps.numpy() for result in results])


def mirror(keypoints, width):
    """The keypoints (B, 16, 2) of the mirrored picture: sides swapped, x counted from the other border."""
    mirrored = keypoints[:, list(FLIP_INDICES)].copy()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


def count(modules):
    """Parameters and batch-norm statistics."""
    tensors = [each for module in modules for name, each in module.state_dict().items() if "num_batches" not in name]
    return sum(tensor.numel() for tensor in tensors)


@pytest.mark.parametrize("variant", VARIANTS)
def test_number_of_parameters_is_the_released_networks(variant):
    network = build_network(variant, upsampling="transposed_conv")
    assert count([network]) == NUM_ALL[variant]
    only_for_training = [each.predict for each in network.head.passes[:-1]]
    assert count([network]) - count(only_for_training) == NUM_DEPLOYED[variant]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_batch_norm_is_keras(variant):
    norms = [module for module in build_network(variant).modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_batch_equals_single(variant):
    network = build_small(variant)
    images = random_images(SIZE, num=3)
    with torch.no_grad():
        together = network(images, None, mode="tensor")
        alone = [network(images[index : index + 1], None, mode="tensor") for index in range(3)]
    scale = together.full_heatmaps.abs().max().item()
    for index in range(3):
        got, expected = alone[index].full_heatmaps[0], together.full_heatmaps[index]
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-4 * scale)
        torch.testing.assert_close(alone[index].pafs[0], together.pafs[index], rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("upsampling", ["bilinear", None])
@pytest.mark.parametrize("size", [(64, 64), (96, 64), (40, 72)], ids=str)
@pytest.mark.parametrize("variant", ["rt", "i", "rt_lite"])
def test_flip_test_makes_keypoints_follow_the_mirrored_image(variant, size, upsampling):
    check_flip_test(build_small(variant, size=size, upsampling=upsampling), size)


@pytest.mark.parametrize("variant", ["ii", "iii", "iv", "i_lite", "ii_lite"])
def test_flip_test_makes_keypoints_of_large_variants_follow_the_mirrored_image(variant):
    check_flip_test(build_small(variant), SIZE)


def check_flip_test(network, size):
    images = random_images(size, num=2)
    without = [predict(network, each)[0] for each in (images, images.flip(-1))]
    assert np.abs(without[1] - mirror(without[0], size[0])).max() > 1  # these weights know nothing of symmetry

    network.test_cfg["flip_test"] = True
    keypoints, heatmaps = predict(network, images)
    for heatmap in heatmaps.reshape(-1, *heatmaps.shape[2:]):
        best = np.sort(gaussian_filter(heatmap, 1), axis=None)[-2:]
        assert best[1] - best[0] > 1e-6 * np.ptp(heatmap)  # a tie would make the test depend on reading order
    mirrored_keypoints, mirrored_heatmaps = predict(network, images.flip(-1))
    largest = max(1.0, float(np.abs(heatmaps).max()))  # these weights make maps of hundreds
    np.testing.assert_allclose(mirrored_heatmaps, heatmaps[:, list(FLIP_INDICES), :, ::-1], atol=1e-5 * largest)
    np.testing.assert_allclose(mirrored_keypoints, mirror(keypoints, size[0]), atol=1e-3)


@pytest.fixture(scope="module")
def released_rt(shared):
    network = build_network("rt")
    layers = read_released(shared / "official" / "keras" / "EfficientPoseRT.h5")
    network.load_state_dict(convert_layers(layers, network), strict=True)
    return network.eval()


def photographs(shared):
    """The recorded crops at 224, as the data loader gives them: a list of uint8 (3, 224, 224), BGR."""
    crops = np.load(shared / "golden" / "inputs.npz")
    return [torch.from_numpy(crops[name][..., ::-1].copy()).permute(2, 0, 1) for name in crops if name.endswith("@224")]


def test_flip_test_on_photographs_with_released_weights(released_rt, shared):
    released_rt.test_cfg["flip_test"] = True
    images = photographs(shared)
    assert images
    keypoints = run_test_step(released_rt, images)
    mirrored = run_test_step(released_rt, [image.flip(-1) for image in images])
    np.testing.assert_allclose(mirrored, mirror(keypoints, 224), atol=1e-3)


def test_released_weights_find_mirrored_people_without_flip_test(released_rt, shared):
    released_rt.test_cfg["flip_test"] = False
    images = photographs(shared)
    keypoints = run_test_step(released_rt, images)
    mirrored = run_test_step(released_rt, [image.flip(-1) for image in images])
    difference = mirrored - mirror(keypoints, 224)
    # One cell is 8 px. A wrong side, or an offset of a cell's half, would show here.
    assert np.median(np.abs(difference)) <= 2
    assert abs(np.median(difference[..., 0])) <= 1


def run_test_step(network, images):
    size = (images[0].shape[-1], images[0].shape[-2])
    with torch.no_grad():
        results = network.test_step(dict(inputs=images, data_samples=[sample(size) for _ in images]))
    return np.concatenate([result.pred_instances.keypoints for result in results])


class Unwrapped:
    """Stands in for the wrapper of several processes."""

    def __init__(self, *, module):
        self.module = module


@pytest.mark.parametrize("variant", ["rt", "i"])
def test_sync_bn_of_mmengine_s_runner_reaches_every_batch_norm_and_keeps_keras_settings(variant):
    """As ``--cfg-options sync_bn=torch`` has it in a run of several processes."""
    network = build_network(variant)
    names = network.state_dict().keys()
    num_norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    several_processes = SimpleNamespace(distributed=True, cfg=Config(dict(sync_bn="torch")))
    converted = Runner.wrap_model(several_processes, dict(type=Unwrapped), network).module
    norms = [module for module in converted.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == num_norms > 0
    assert {type(norm) for norm in norms} == {nn.SyncBatchNorm}
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    assert converted.state_dict().keys() == names
