"""Small heads, features and samples for the tests of networks."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

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
