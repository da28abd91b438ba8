"""Train on shrunk crops first: steps are cheap while heatmaps are wide anyway."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.models import PoseDataPreprocessor
from mmpose.structures import PoseDataSample
from torch import Tensor, nn
from torch.nn import functional as F

from efficientpose.core.decoding import STRIDE
from efficientpose.engine.lookup import network_of
from efficientpose.engine.resuming import check_resumed
from efficientpose.models import EfficientPoseHead, PafPoseEstimator

_KEY = "progressive_resizing"


@HOOKS.register_module()
class ProgressiveResizingHook(Hook):
    """Shrink the training crops to a size that grows in equal parts of the run, as sigma's levels shrink.

    The size depends on the epoch's number and the run's length alone, so a resumed run goes on exactly. Checkpoints
    carry both, and a run with others refuses to resume from them. Validation uses whole crops; its scores are low until
    training does too. Crops are shrunk on the device.

    Source: progressive resizing (Howard, fast.ai, 2018) and progressive learning (Tan and Le, EfficientNetV2, 2021,
    arXiv 2104.00298). The EfficientPose paper does not use it.

    Args:
        input_sizes: (width, height) for each part of the run, multiples of 8, each larger than the one before and all
            of the same aspect ratio; the last is the network's own.

    Raises:
        ValueError: If the sizes are not so.
    """

    def __init__(self, *, input_sizes: Sequence[tuple[int, int]]) -> None:
        wanted = f"input_sizes must be (width, height) for each part of the run, multiples of {STRIDE}"
        if not all(isinstance(size, Sequence) and len(size) == 2 for size in input_sizes) or not input_sizes:
            raise ValueError(f"{wanted}, got {input_sizes}")
        self.input_sizes = [(int(width), int(height)) for width, height in input_sizes]
        if any(side < STRIDE or side % STRIDE for size in self.input_sizes for side in size):
            raise ValueError(f"{wanted}, got {self.input_sizes}")
        if any(max(before) >= max(after) for before, after in pairwise(self.input_sizes)):
            raise ValueError(f"input_sizes must grow from one to the next, got {self.input_sizes}")
        whole_width, whole_height = self.input_sizes[-1]
        for width, height in self.input_sizes:
            if abs(height * whole_width - width * whole_height) >= STRIDE * whole_width:
                nearest = (width, round(width * whole_height / whole_width / STRIDE) * STRIDE)
                raise ValueError(f"input_sizes must be of the same shape, got {self.input_sizes}: try {nearest}")

    def find_size(self, epoch: int, *, num_epochs: int) -> tuple[int, int]:
        """Return the (width, height) in an epoch, counted from 0, of a run of ``num_epochs``."""
        return self.input_sizes[epoch * len(self.input_sizes) // num_epochs]

    def _describe(self, runner: Runner) -> dict[str, Any]:
        return {"input_sizes": self.input_sizes, "max_epochs": runner.max_epochs}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the sizes and the run's length to the checkpoint (MMEngine's contract)."""
        checkpoint[_KEY] = self._describe(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare them when a run is resumed; a new run may start from any weights (MMEngine's contract).

        Raises:
            ValueError: If the checkpoint's run had no sizes, or others.
        """
        if runner._resume:
            check_resumed(checkpoint.get(_KEY), self._describe(runner), name=_KEY)

    def before_train(self, runner: Runner) -> None:
        """Check that crops can grow in this run (MMEngine's contract).

        Raises:
            ValueError: If the run is not by epochs, has fewer epochs than sizes or another input size, trains on
                scenes, or its head or data preprocessor cannot follow.
        """
        network = network_of(runner)
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError("crops grow by epochs: give train_cfg by_epoch=True and max_epochs")
        if runner.max_epochs < len(self.input_sizes):
            raise ValueError(
                f"{runner.max_epochs} epochs cannot have the {len(self.input_sizes)} input_sizes {self.input_sizes}: "
                "train longer, or name fewer"
            )
        if isinstance(network, PafPoseEstimator):
            raise ValueError("ProgressiveResizingHook shrinks crops of one person: leave it out of runs on scenes")
        if not isinstance(network.head, EfficientPoseHead) or network.head.decoder is None:
            raise ValueError("crops can grow where the head draws its targets: an EfficientPoseHead with a decoder")
        if tuple(network.head.decoder.input_size) != self.input_sizes[-1]:
            raise ValueError(
                f"the last of the input_sizes {self.input_sizes} must be the network's own, "
                f"{tuple(network.head.decoder.input_size)}"
            )
        if not isinstance(network.data_preprocessor, PoseDataPreprocessor):
            raise ValueError("crops are shrunk by model.data_preprocessor, which must be MMPose's PoseDataPreprocessor")

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's size and log its width (MMEngine's contract)."""
        size = self.find_size(runner.epoch, num_epochs=runner.max_epochs)
        self._shrink(runner, None if size == self.input_sizes[-1] else size)
        runner.message_hub.update_scalar("train/input_width", size[0])

    def after_train(self, runner: Runner) -> None:
        """Shrink no more crops (MMEngine's contract)."""
        self._shrink(runner, None)

    def _shrink(self, runner: Runner, size: tuple[int, int] | None) -> None:
        """Make the data preprocessor shrink crops to a size, after its other augmentations; None leaves them whole."""
        preprocessor = network_of(runner).data_preprocessor
        others = [each for each in preprocessor.batch_augments or () if not isinstance(each, ShrinkCrops)]
        every = others if size is None else [*others, ShrinkCrops(input_size=size)]
        preprocessor.batch_augments = nn.ModuleList(every) if every else None


class ShrinkCrops(nn.Module):
    """Shrinks crops of one person each, as an augmentation of batches of MMPose's ``PoseDataPreprocessor``.

    The head then draws its targets for the shrunk crop: sigma is a fraction of it and shrinks along; the band of a part
    affinity field stays as many cells wide.

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
            data_samples: B of them. ``gt_instances.transformed_keypoints`` (1, K, 2) move to the frame of the shrunk
                crop, whose size is noted as ``shrunk_to``. Their ``input_size`` stays what the pipeline cut.

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
        crops = F.interpolate(inputs.float(), (height, width), mode="bilinear", align_corners=False, antialias=True)
        return crops, data_samples
