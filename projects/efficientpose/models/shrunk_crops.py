"""A batch's crops at a smaller size than the data pipeline cut them, with their keypoints."""

import numpy as np
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from efficientpose.models.maps import resample_maps


class ShrinkCrops(nn.Module):
    """Shrinks crops of one person each, as an augmentation of batches of MMPose's ``PoseDataPreprocessor``.

    The head then draws its targets for the shrunk crop: sigma is a fraction of it and shrinks along; a part affinity
    field's band stays as many cells wide.

    Args:
        input_size: (width, height) to shrink to, multiples of 8 in about the crop's shape.
    """

    def __init__(self, *, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.input_size = input_size

    def forward(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> tuple[Tensor, list[PoseDataSample]]:
        """Shrink a batch (MMPose's contract).

        Args:
            inputs: (B, 3, H, W), normalised.
            data_samples: B of them; ``gt_instances.transformed_keypoints`` (1, K, 2) move to the shrunk crop's frame,
                whose size is noted as ``shrunk_to``. Their ``input_size`` stays what the pipeline cut.

        Returns:
            The crops, (B, 3, h, w) float32, and the samples.
        """
        width, height = self.input_size
        factor = np.array((width / inputs.shape[-1], height / inputs.shape[-2]), np.float32)
        for sample in data_samples:
            if "transformed_keypoints" in sample.gt_instances:
                keypoints = sample.gt_instances.transformed_keypoints
                sample.gt_instances.transformed_keypoints = (keypoints + 0.5) * factor - 0.5
            sample.set_metainfo(dict(shrunk_to=self.input_size))
        return resample_maps(inputs, map_shape=(height, width)), data_samples
