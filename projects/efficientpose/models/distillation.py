"""A small network taught by a large one, whose outputs are targets beside the ground truth (Hinton et al. 2015).

MMPose's ``DWPoseDistiller`` compares SimCC coordinates and features and stores both networks; it does not fit heatmaps
and part affinity fields.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor
from torch.nn import functional as F

from efficientpose.codecs.targets import Targets
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import VARIANTS
from efficientpose.models.criterion import PoseMaps
from efficientpose.models.head import EfficientPoseHead


@MODELS.register_module()
class PoseMapDistiller(TopdownPoseEstimator):
    """The student, a top-down pose estimator in everything but its loss: its checkpoints are a plain student's.

    Every loss of the head counts (1 - ``teacher_share``) against the ground truth and ``teacher_share`` against the
    teacher's output. With squared errors, that is a loss against a blend of both; where a keypoint is not labelled or
    lies outside the crop, only the teacher counts. The teacher sees the same crop, resized to its own input, and its
    output at stride 8 is resampled to the student's. It gets no gradient, stays in evaluation mode, is no part of the
    state dict, and is only loaded for training.

    Args:
        teacher: Name of a variant, whose MPII config describes the teacher, or the path of another config.
        teacher_checkpoint: Its weights, in any form that MMEngine loads; None for those released of the variant.
        teacher_share: How much of the loss is against the teacher's output, 0 to 1; with 0 there is no teacher.
        **student: Backbone, neck, head and so on of the student, in MMPose's form. The head is an
            :class:`~efficientpose.models.head.EfficientPoseHead` with a decoder. The data preprocessors of student and
            teacher may scale pixels differently.

    Raises:
        ValueError: If ``teacher_share`` is out of its range, the head is another or has no decoder, or there is no
            ``teacher_checkpoint`` for the teacher's config.
    """

    teacher: TopdownPoseEstimator | None  # None before init_weights

    def __init__(
        self, *, teacher: str, teacher_checkpoint: str | None = None, teacher_share: float = 0.5, **student: Any
    ) -> None:
        super().__init__(**student)
        if not 0 <= teacher_share <= 1:
            raise ValueError(f"teacher_share must be 0 to 1, got {teacher_share}")
        if not isinstance(self.head, EfficientPoseHead) or self.head.decoder is None:
            raise ValueError(f"a student needs an EfficientPoseHead with a decoder, got {type(self.head).__name__}")
        if teacher_checkpoint is None and teacher not in VARIANTS:
            raise ValueError(
                f"teacher {teacher!r} is not one of {', '.join(VARIANTS)}, of which weights were released: name its "
                "weights with teacher_checkpoint"
            )
        self.teacher_config = teacher
        self.teacher_checkpoint = teacher_checkpoint or f"efficientpose://{teacher}"
        self.teacher_share = teacher_share
        self._set_teacher(None)

    def _set_teacher(self, teacher: TopdownPoseEstimator | None) -> None:
        # Past PyTorch's own __setattr__, which would make it a part of the state dict and of what is trained.
        object.__setattr__(self, "teacher", teacher)

    def init_weights(self) -> None:
        """Initialise the student and load the teacher (MMEngine's contract; the runner does it before training).

        Raises:
            FileNotFoundError: If the teacher's config or checkpoint is absent.
            ValueError: If the checkpoint does not fit, or the teacher has other keypoints or limbs than the student.
        """
        super().init_weights()
        if self.teacher_share > 0:
            self._set_teacher(self._load_teacher().to(next(self.parameters()).device))

    def _load_teacher(self) -> TopdownPoseEstimator:
        name = self.teacher_config
        path = mpii_config_path(name) if name in VARIANTS else Path(name)
        if not path.is_file():
            raise FileNotFoundError(f"teacher {name!r}: no such config, nor one of the variants {', '.join(VARIANTS)}")
        with torch.random.fork_rng(devices=[]):  # a run without a teacher draws the same numbers
            teacher = MODELS.build(Config.fromfile(path).model)
        self._check_teacher(teacher)
        try:
            checkpoint = CheckpointLoader.load_checkpoint(self.teacher_checkpoint, map_location="cpu")
        except FileNotFoundError as error:
            raise FileNotFoundError(f"teacher_checkpoint {self.teacher_checkpoint!r}: {error}") from error
        teacher.load_state_dict(checkpoint.get("state_dict", checkpoint))
        teacher.head.upsampler = None  # only outputs at stride 8 are read
        return teacher.requires_grad_(False).eval()

    def _check_teacher(self, teacher: TopdownPoseEstimator) -> None:
        """Check that the teacher has the student's keypoints and limbs, and reads the same colours."""
        name, own, head = f"teacher {self.teacher_config!r}", self.head, teacher.head
        if not isinstance(head, EfficientPoseHead) or head.decoder is None:
            raise ValueError(f"{name} must have an EfficientPoseHead with a decoder")
        if head.num_keypoints != own.num_keypoints:
            raise ValueError(f"{name} has {head.num_keypoints} keypoints and the student {own.num_keypoints}")
        if own.paf_pass is not None and (head.paf_pass is None or head.decoder.limbs != own.decoder.limbs):
            raise ValueError(
                f"{name} has other limbs than the student, or none: take another teacher, or num_limbs=0 in the "
                "student's head"
            )
        preprocessors = (self.data_preprocessor, teacher.data_preprocessor)
        if not all(hasattr(each, "mean") for each in preprocessors):
            raise ValueError("the data preprocessors of student and teacher must have mean and std")
        if len({each._channel_conversion for each in preprocessors}) > 1:
            raise ValueError("the data preprocessors of student and teacher must bring colours into the same order")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PoseMapDistiller":
        """Take the teacher along to a device or memory format (PyTorch's contract)."""
        if self.teacher is not None:
            self.teacher._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def loss(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> dict[str, Tensor]:
        """Compare the student's output with ground truth and teacher, for inputs (B, 3, h, w) (MMPose's contract).

        Returns the head's losses and beside them ``loss_teacher_pafs`` and so on; each is scaled by its share.
        """
        features = self.extract_feat(inputs)
        if self.teacher_share == 0:
            return self.head.loss(features, data_samples)
        outputs = self.head.forward(features)
        targets = self.head.draw_targets(outputs, data_samples)
        losses = self.head.criterion(outputs, targets)
        teacher_losses = self.head.criterion(outputs, self._replace_by_teacher(targets, inputs))
        return {name: (1 - self.teacher_share) * loss for name, loss in losses.items()} | {
            name.replace("loss_", "loss_teacher_", 1): self.teacher_share * loss
            for name, loss in teacher_losses.items()
        }

    def _replace_by_teacher(self, targets: Targets, inputs: Tensor) -> Targets:
        """Return targets with the teacher's output in place of the ground truth, all of it counting."""
        outputs = self.run_teacher(inputs)
        heatmaps, coarse = outputs.heatmaps[-1], targets.heatmaps.shape[-2:]
        taught = targets._replace(
            heatmaps=resample(heatmaps, shape=coarse), keypoint_weights=torch.ones_like(targets.keypoint_weights)
        )
        if targets.full_heatmaps is not None:
            taught = taught._replace(full_heatmaps=resample(heatmaps, shape=targets.full_heatmaps.shape[-2:]))
        if targets.limb_weights is not None and outputs.pafs is not None:
            fields = resample_pafs(outputs.pafs, shape=coarse)
            taught = taught._replace(pafs=fields, limb_weights=torch.ones_like(targets.limb_weights))
        return taught

    @torch.no_grad()
    def run_teacher(self, inputs: Tensor) -> PoseMaps:
        """Return the teacher's output at stride 8 of its own input, for inputs (B, 3, h, w) of the student."""
        if self.teacher is None:
            raise RuntimeError("there is no teacher: call init_weights first, which loads it")
        own, other = self.data_preprocessor, self.teacher.data_preprocessor
        pixels = inputs * own.std + own.mean
        width, height = self.teacher.head.decoder.input_size
        crops = resample((pixels - other.mean) / other.std, shape=(height, width))
        return self.teacher.head.forward(self.teacher.extract_feat(crops))


def resample(maps: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Resize heatmaps or crops (B, C, h, w) to a shape (height, width) bilinearly, averaged where they shrink."""
    return F.interpolate(maps.float(), tuple(shape), mode="bilinear", align_corners=False, antialias=True)


def resample_pafs(pafs: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Resize part affinity fields (B, 2L, h, w) to a shape (height, width) so that their bands stay as wide, in cells.

    A band is a fixed number of cells wide at every resolution, so a finer grid's is narrower on the person and would
    fade when averaged. Vectors are lengthened by what was averaged away, and then cut to a length of 1. So fields drawn
    for 600 pixels differ from those drawn for 224 by 0.20 of their energy; merely interpolated, by 0.57.
    """
    faded = max(1.0, pafs.shape[-1] / shape[1], pafs.shape[-2] / shape[0])
    vectors = faded * resample(pafs, shape=shape).unflatten(1, (-1, 2))  # (B, L, 2, height, width)
    return (vectors / vectors.norm(dim=2, keepdim=True).clamp(min=1)).flatten(1, 2)
