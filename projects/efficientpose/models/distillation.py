"""A small network taught by a large one: its part affinity fields and heatmaps beside the truth (Hinton et al. 2015).

MMPose's ``DWPoseDistiller`` compares SimCC coordinates and features and stores both networks; it does not fit these
maps.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from efficientpose.codecs.targets import Targets
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import VARIANTS
from efficientpose.models.batches import resample_maps, resample_pafs
from efficientpose.models.head import EfficientPoseHead, PoseMaps


@MODELS.register_module()
class PoseMapDistiller(TopdownPoseEstimator):
    """The student, a top-down pose estimator in everything but its loss: its checkpoints are a plain student's.

    Every loss of the head counts (1 - ``teacher_share``) against the truth and ``teacher_share`` against the teacher's
    maps. With squared errors, that is a loss against a blend of both; where a joint is not labelled or lies outside the
    crop, the teacher alone speaks. The teacher sees the same crop, resized to its own input, and its maps at stride 8
    are resampled to the student's. It gets no gradient, stays in evaluation mode, is no part of the state dict, and is
    only loaded for training.

    Args:
        backbone: The student's, in MMPose's form.
        neck: The student's.
        head: The student's, an :class:`~efficientpose.models.head.EfficientPoseHead` with a decoder.
        teacher: Name of a variant, whose MPII config describes the teacher, or the path of another config.
        teacher_checkpoint: Its weights, in any form that MMEngine loads; None for those released of the variant.
        teacher_share: How much of the loss the teacher's maps are, 0 to 1; with 0 there is no teacher.
        train_cfg: In MMPose's form.
        test_cfg: In MMPose's form.
        data_preprocessor: The student's. The teacher's may scale pixels in another way.
        init_cfg: The student's, in MMEngine's form.
        metainfo: In MMPose's form.

    Attributes:
        teacher: The teacher's network; None before :meth:`init_weights`.

    Raises:
        ValueError: If ``teacher_share`` is out of its range, the head is another or has no decoder, or there is no
            ``teacher_checkpoint`` for the teacher's config.
    """

    teacher: TopdownPoseEstimator | None

    def __init__(
        self,
        *,
        backbone: dict,
        neck: dict,
        head: dict,
        teacher: str,
        teacher_checkpoint: str | None = None,
        teacher_share: float = 0.5,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        metainfo: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
            metainfo=metainfo,
        )
        if not 0 <= teacher_share <= 1:
            raise ValueError(f"teacher_share must be 0 to 1, got {teacher_share}")
        if not isinstance(self.head, EfficientPoseHead) or self.head.decoder is None:
            raise ValueError(f"a student needs an EfficientPoseHead with a decoder, got {type(self.head).__name__}")
        if teacher_checkpoint is None and teacher not in VARIANTS:
            raise ValueError(
                f"teacher {teacher!r} is not one of {', '.join(VARIANTS)}, of which weights were released: say with "
                "teacher_checkpoint which weights it has"
            )
        self.teacher_config = teacher
        self.teacher_checkpoint = teacher_checkpoint or f"efficientpose://{teacher}"
        self.teacher_share = teacher_share
        self._hold(None)

    def _hold(self, teacher: TopdownPoseEstimator | None) -> None:
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
            parameter = next(self.parameters())
            self._hold(self._load_teacher().to(parameter.device))

    def _load_teacher(self) -> TopdownPoseEstimator:
        named = self.teacher_config
        path = mpii_config_path(named) if named in VARIANTS else Path(named)
        if not path.is_file():
            raise FileNotFoundError(f"teacher {named!r}: no such config, nor one of the variants {', '.join(VARIANTS)}")
        with torch.random.fork_rng(devices=[]):  # a run without a teacher draws the same numbers
            teacher = MODELS.build(Config.fromfile(path).model)
        self._check_fit(teacher)
        try:
            checkpoint = CheckpointLoader.load_checkpoint(self.teacher_checkpoint, map_location="cpu")
        except FileNotFoundError as error:
            raise FileNotFoundError(f"teacher_checkpoint {self.teacher_checkpoint!r}: {error}") from error
        teacher.load_state_dict(checkpoint.get("state_dict", checkpoint))
        teacher.head.upsampler = None  # only maps at stride 8 are read
        return teacher.requires_grad_(False).eval()

    def _check_fit(self, teacher: TopdownPoseEstimator) -> None:
        """Check that the teacher speaks of the student's keypoints and limbs.

        Raises:
            ValueError: If not.
        """
        head = teacher.head
        if not isinstance(head, EfficientPoseHead) or head.decoder is None:
            raise ValueError(f"teacher {self.teacher_config!r} must have an EfficientPoseHead with a decoder")
        counts = [len(each.keypoint_weights) for each in (head, self.head)]
        if counts[0] != counts[1]:
            raise ValueError(
                f"teacher {self.teacher_config!r} has {counts[0]} keypoints and the student {counts[1]}: they must be "
                "the same"
            )
        if self.head.paf_pass is not None and (head.paf_pass is None or head.decoder.limbs != self.head.decoder.limbs):
            raise ValueError(
                f"teacher {self.teacher_config!r} has other limbs than the student, or none: take another teacher, or "
                "num_limbs=0 in the student's head"
            )
        own, other = self.data_preprocessor, teacher.data_preprocessor
        if not (hasattr(own, "mean") and hasattr(other, "mean")):
            raise ValueError("the data preprocessors of student and teacher must have mean and std")
        if own._channel_conversion != other._channel_conversion:
            raise ValueError("the data preprocessors of student and teacher must bring colours into the same order")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PoseMapDistiller":
        """Take the teacher along to a device or memory format (PyTorch's contract)."""
        if self.teacher is not None:
            self.teacher._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def loss(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> dict[str, Tensor]:
        """Compare the student's maps with the truth and with the teacher's (MMPose's contract).

        Args:
            inputs: (B, 3, h, w), normalised for the student.
            data_samples: B of them, as the head's loss takes them.

        Returns:
            The head's losses, and beside them ``loss_teacher_pafs`` and so on; each is scaled by its share.

        Raises:
            RuntimeError: If there should be a teacher and :meth:`init_weights` was not called.
        """
        features = self.extract_feat(inputs)
        if self.teacher_share == 0:
            return self.head.loss(features, data_samples)
        maps = self.head.forward(features)
        truth = self.head.draw_targets(maps, data_samples)
        losses = self.head.compare(maps, truth)
        taught = self.head.compare(maps, self._replace_by_teacher(truth, inputs))
        return {name: (1 - self.teacher_share) * loss for name, loss in losses.items()} | {
            name.replace("loss_", "loss_teacher_", 1): self.teacher_share * loss for name, loss in taught.items()
        }

    def _replace_by_teacher(self, truth: Targets, inputs: Tensor) -> Targets:
        """Return the targets with the teacher's maps in the place of the drawn ones, all of them counting."""
        maps = self.ask_teacher(inputs)
        heatmaps, full_heatmaps, pafs = maps.heatmaps[-1], truth.full_heatmaps, truth.pafs
        return truth._replace(
            heatmaps=resample_maps(heatmaps, map_shape=truth.heatmaps.shape[-2:]),
            full_heatmaps=(
                None if full_heatmaps is None else resample_maps(heatmaps, map_shape=full_heatmaps.shape[-2:])
            ),
            pafs=None if pafs is None or maps.pafs is None else resample_pafs(maps.pafs, map_shape=pafs.shape[-2:]),
            keypoint_weights=torch.ones_like(truth.keypoint_weights),
            limb_weights=None if truth.limb_weights is None else torch.ones_like(truth.limb_weights),
        )

    @torch.no_grad()
    def ask_teacher(self, inputs: Tensor) -> PoseMaps:
        """Return the teacher's maps at stride 8 of its own input.

        Args:
            inputs: (B, 3, h, w), normalised for the student.

        Raises:
            RuntimeError: If there is none.
        """
        if self.teacher is None:
            raise RuntimeError("there is no teacher: call init_weights first, which loads it")
        own, other = self.data_preprocessor, self.teacher.data_preprocessor
        pixels = inputs * own.std + own.mean
        width, height = self.teacher.head.decoder.input_size
        seen = resample_maps((pixels - other.mean) / other.std, map_shape=(height, width))
        return self.teacher.head.forward(self.teacher.extract_feat(seen))
