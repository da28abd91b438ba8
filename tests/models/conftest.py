"""Small heads, features and samples for the tests of networks."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.core.skeleton import FLIP_INDICES
from efficientpose.models.head import EfficientPoseHead

INPUT_SIZE = (48, 32)
IN_CHANNELS = 8


@pytest.fixture
def make_head():
    """Build a small head; arguments change its settings."""

    def make(**arguments):
        torch.manual_seed(0)
        decoder = dict(type="FullResolutionHeatmap", input_size=INPUT_SIZE)
        return EfficientPoseHead(**dict(in_channels=IN_CHANNELS, channels=4, num_blocks=1, decoder=decoder) | arguments)

    return make


@pytest.fixture
def features():
    """Draw what the neck would give."""

    def draw(*, num=2, grid=(4, 6)):
        return (torch.randn(num, IN_CHANNELS, *grid, generator=torch.Generator().manual_seed(1)),)

    return draw


@pytest.fixture
def sample():
    """Make a training sample of keypoints (K, 2) in the input frame and visible (K,)."""

    def make(keypoints, visible):
        truth = InstanceData(transformed_keypoints=np.array(keypoints)[None], keypoints_visible=np.array(visible)[None])
        metainfo = dict(flip_indices=list(FLIP_INDICES), input_size=INPUT_SIZE)
        return PoseDataSample(gt_instances=truth, metainfo=metainfo)

    return make


@pytest.fixture
def samples(sample):
    """Make samples with keypoints at random."""

    def make(*, num=2, num_keypoints=16, unlabelled=()):
        rng = np.random.default_rng(0)
        visible = np.ones(num_keypoints)
        visible[list(unlabelled)] = 0
        return [sample(rng.uniform((0, 0), INPUT_SIZE, (num_keypoints, 2)), visible) for _ in range(num)]

    return make


BATCH_NORM_OPS = (torch.ops.aten.native_batch_norm, torch.ops.aten._native_batch_norm_legit_no_training)


@pytest.fixture(scope="session")
def count_flops():
    """Count two FLOPs a multiply-add of a deployed graph; the network is moved to the meta device."""

    def count_batch_norm(input_shape, *_arguments, **_options):
        return 2 * input_shape.numel()

    def count(network, input_size):
        width, height = input_size
        counter = FlopCounterMode(display=False, custom_mapping=dict.fromkeys(BATCH_NORM_OPS, count_batch_norm))
        network = network.to("meta").eval()
        with counter, torch.no_grad():
            network.head.forward_deployed(network.extract_feat(torch.empty(1, 3, height, width, device="meta")))
        return counter.get_total_flops()

    return count


@pytest.fixture(scope="session")
def count_parameters():
    """Count parameters and running statistics of a deployed graph."""

    def count(network):
        only_trained = () if network.head.hands_on_maps else network.head.passes[:-1]
        not_deployed = {id(parameter) for each in only_trained for parameter in each.predict.parameters()}
        return sum(
            tensor.numel()
            for key, tensor in network.state_dict(keep_vars=True).items()
            if id(tensor) not in not_deployed and not key.endswith("num_batches_tracked")
        )

    return count
