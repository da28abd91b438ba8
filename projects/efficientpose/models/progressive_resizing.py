"""Training on shrunk crops first: cheap steps while maps are coarse anyway, whole crops once details matter."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from mmengine.logging import MessageHub
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn
from torch.nn.functional import interpolate

from efficientpose.runtime.scene_frame import STRIDE


@MODELS.register_module()
class ProgressiveResizing(nn.Module):
    """Shrinks a batch's crops, and their keypoints with them, to a size that grows during training.

    An augmentation of batches, for ``batch_augments`` of MMPose's ``PoseDataPreprocessor``, which runs it on the device
    and in training alone. The run is divided into equal parts of whole epochs, one a size, as those of sigma are; the
    size follows from the epoch's number, so a resumed run goes on exactly. The head draws its targets for the shrunk
    crops: sigma is a fraction of the map and shrinks with it. Outside of a run by epochs crops stay whole.

    Source: progressive resizing (Howard, fastai, 2018) and progressive learning (Tan and Le, EfficientNetV2, 2021,
    arXiv 2104.00298). It is not a part of the EfficientPose paper's recipe.

    Args:
        input_sizes: (width, height) of each part of the run, multiples of 8, none smaller than the one before; the last
            should be the network's own.

    Raises:
        ValueError: If there is no size, one is not a multiple of 8, or one is smaller than the one before.
    """

    def __init__(self, input_sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        sizes = [(int(width), int(height)) for width, height in input_sizes]
        if not sizes or any(side < STRIDE or side % STRIDE for size in sizes for side in size):
            raise ValueError(f"input_sizes must hold (width, height), multiples of {STRIDE}, got {input_sizes}")
        if any(smaller[0] > larger[0] or smaller[1] > larger[1] for smaller, larger in pairwise(sizes)):
            raise ValueError(f"input_sizes must grow from one to the next, got {input_sizes}")
        self.input_sizes = tuple(sizes)

    def find_size(self, epoch: int, *, num_epochs: int) -> tuple[int, int]:
        """Return the crops' (width, height) in an epoch, counted from 0, of a run of ``num_epochs``."""
        return self.input_sizes[min(epoch * len(self.input_sizes) // num_epochs, len(self.input_sizes) - 1)]

    def forward(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> tuple[Tensor, list[PoseDataSample]]:
        """Shrink a batch (MMPose's contract for augmentations of batches).

        Args:
            inputs: (B, 3, H, W), normalised.
            data_samples: B of them, with ``gt_instances.transformed_keypoints`` (1, K, 2) in the input frame; they are
                moved to the shrunk crop's frame, and its size is noted as ``shrunk_to``.

        Returns:
            The crops, (B, 3, h, w), and the samples.

        Raises:
            ValueError: If the crops are smaller than they should be shrunk to.
        """
        hub = MessageHub.get_current_instance()
        num_epochs = hub.get_info("max_epochs")
        if not num_epochs:
            return inputs, data_samples
        size = width, height = self.find_size(hub.get_info("epoch"), num_epochs=num_epochs)
        whole_height, whole_width = inputs.shape[-2:]
        if size == (whole_width, whole_height):
            return inputs, data_samples
        if width > whole_width or height > whole_height:
            raise ValueError(
                f"the pipeline crops to (width, height) {(whole_width, whole_height)}, which cannot be shrunk to "
                f"{size}: take smaller input_sizes in ProgressiveResizing"
            )
        factor = np.array((width / whole_width, height / whole_height), np.float32)
        for sample in data_samples:
            keypoints = sample.gt_instances.transformed_keypoints
            sample.gt_instances.transformed_keypoints = (keypoints + 0.5) * factor - 0.5
            sample.set_metainfo(dict(shrunk_to=size))
        return interpolate(inputs, size=(height, width), mode="bilinear", antialias=True), data_samples
