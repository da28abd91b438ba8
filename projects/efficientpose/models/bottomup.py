"""Several people in one pass: part affinity fields grouped, as an MMPose pose estimator (Cao et al. 2017)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.structures import InstanceData, PixelData
from mmpose.models.pose_estimators import BottomupPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from efficientpose.core.boxes import pad_boxes
from efficientpose.core.flip_test import average_mirrored, average_mirrored_pafs
from efficientpose.core.grouping import GroupedPerson, GroupingRule, LimbRule
from efficientpose.core.scenes import PeopleDecoder
from efficientpose.core.similarity import boxes_around
from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES
from efficientpose.models.batches import stack_scenes
from efficientpose.models.head import EfficientPoseHead, PoseMaps


@MODELS.register_module()
class PafPoseEstimator(BottomupPoseEstimator):
    """Backbone, neck and head of a top-down EfficientPose over a whole scene; the same checkpoint fits.

    For inference the pipeline needs ``BottomupResize`` with ``size_factor=8``; pictures of one batch have one size.
    ``test_cfg`` knows ``flip_test`` and ``output_heatmaps``. It is trained top-down, one person a crop, or as it is, on
    scenes: then the pipeline needs :class:`~efficientpose.datasets.scenes.SceneWindow`.

    Args:
        backbone: In MMPose's form.
        neck: In MMPose's form.
        head: An :class:`~efficientpose.models.head.EfficientPoseHead` with part affinity fields and a decoder.
        keypoint_names: In the order of the heatmaps.
        min_peak: Peaks below it are left out.
        radius: Distance in input pixels below which two peaks of one keypoint are one.
        limb_rule: Arguments of :class:`~efficientpose.core.grouping.LimbRule`.
        grouping_rule: Arguments of :class:`~efficientpose.core.grouping.GroupingRule`.
        train_cfg: Not used.
        test_cfg: In MMPose's form.
        data_preprocessor: In MMPose's form.
        init_cfg: In MMEngine's form.

    Attributes:
        decoder: Finds people in the maps.

    Raises:
        ValueError: If the head is another, has no part affinity fields or no decoder, or a number is out of its range.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        neck: dict,
        head: dict,
        keypoint_names: Sequence[str] = KEYPOINT_NAMES,
        min_peak: float = 0.1,
        radius: float = 12.0,
        limb_rule: Mapping[str, Any] | None = None,
        grouping_rule: Mapping[str, Any] | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        if not isinstance(self.head, EfficientPoseHead) or self.head.paf_pass is None or self.head.decoder is None:
            raise ValueError(
                "people are grouped along part affinity fields: the head must be an EfficientPoseHead with num_limbs "
                f"and a decoder, got {type(self.head).__name__}"
            )
        if self.head.upsampler is not None and not self.head.upsampler.state_dict():
            self.head.upsampler = None  # people are read off the maps at stride 8
        self.decoder = PeopleDecoder(
            limbs=self.head.decoder.limbs,
            keypoint_names=keypoint_names,
            blur_sigma=self.head.decoder.blur_sigma,
            min_peak=min_peak,
            radius=radius,
            rule=GroupingRule(limb=LimbRule(**(limb_rule or {})), **(grouping_rule or {})),
        )

    def loss(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> dict[str, Tensor]:
        """Compare the maps of scenes with everybody's targets (MMPose's contract).

        Args:
            inputs: (B, 3, H, W), of the decoder's ``input_size``.
            data_samples: B of them, as :func:`~efficientpose.models.batches.stack_scenes` takes them.

        Returns:
            ``loss_pafs``, ``loss_heatmaps_1`` and so on.

        Raises:
            ValueError: If the inputs or samples are of another form.
        """
        if self.head.upsampler is not None:
            raise ValueError('scenes are trained at stride 8: set the head\'s upsampling to "bilinear" or None')
        if (inputs.shape[-1], inputs.shape[-2]) != self.head.decoder.input_size:
            raise ValueError(
                f"the pipeline cuts windows of (width, height) {(inputs.shape[-1], inputs.shape[-2])}, but the head's "
                f"decoder has input_size {self.head.decoder.input_size}: set both to the same"
            )
        maps: PoseMaps = self.head.forward(self.extract_feat(inputs))
        truth = stack_scenes(data_samples, device=inputs.device)
        return self.head.compare(maps, self.head.decoder.render_scenes(*truth))

    def predict(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> list[PoseDataSample]:
        """Find everybody in each scene (MMPose's contract).

        Args:
            inputs: (B, 3, H, W), sides multiples of 8.
            data_samples: B of them, with ``input_size``, ``input_center`` and ``input_scale``.

        Returns:
            The samples with ``pred_instances``: keypoints (N, K, 2) in the picture, keypoint_scores (N, K), bboxes (N,
            4) and bbox_scores (N,), best first. A joint that was not found has x, y and score 0. ``pred_fields`` has
            the heatmaps (K, H / 8, W / 8) if ``test_cfg.output_heatmaps`` asks for them.
        """
        heatmaps, pafs = self.predict_maps(
            inputs, flip_indices=data_samples[0].metainfo.get("flip_indices", FLIP_INDICES)
        )
        people = [self.decoder.group(*maps) for maps in zip(heatmaps, pafs, strict=True)]
        instances = [_to_instances(each, num_keypoints=heatmaps.shape[1]) for each in people]
        fields = None
        if self.test_cfg.get("output_heatmaps", False):
            fields = [PixelData(heatmaps=inputs.new_tensor(each)) for each in heatmaps]
        results = self.add_pred_to_datasample(instances, fields, data_samples)
        for sample in results:
            found = sample.pred_instances
            found.keypoints = np.where(found.keypoint_scores[..., None] > 0, found.keypoints, 0)
        return results

    def predict_maps(
        self, inputs: Tensor, *, flip_indices: Sequence[int] = FLIP_INDICES
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return heatmaps (B, K, H / 8, W / 8) and part affinity fields (B, 2L, H / 8, W / 8) of whole scenes.

        Args:
            inputs: (B, 3, H, W), normalised.
            flip_indices: For each keypoint the one on the other side; flip test reads it.
        """
        heatmaps, pafs = self._run(inputs)
        if not self.test_cfg.get("flip_test", False):
            return heatmaps, pafs
        mirrored_heatmaps, mirrored_pafs = self._run(inputs.flip(-1))
        return (
            average_mirrored(heatmaps, mirrored_heatmaps, flip_indices=flip_indices),
            average_mirrored_pafs(pafs, mirrored_pafs, limbs=self.head.decoder.limbs, flip_indices=flip_indices),
        )

    def _run(self, inputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
        maps: PoseMaps = self.head.forward(self.extract_feat(inputs))
        assert maps.pafs is not None  # noqa: S101 - the constructor saw to it
        return maps.heatmaps[-1].detach().float().cpu().numpy(), maps.pafs.detach().float().cpu().numpy()


def _to_instances(people: tuple[GroupedPerson, ...], *, num_keypoints: int) -> InstanceData:
    """Return people in the input's frame; a joint that was not found has the score 0."""
    keypoints = np.array([person.keypoints for person in people]).reshape(-1, num_keypoints, 2)
    boxes = boxes_around(keypoints)
    return InstanceData(
        keypoints=np.nan_to_num(keypoints).astype(np.float32),
        keypoint_scores=np.array([person.scores for person in people], np.float32).reshape(-1, num_keypoints),
        bboxes=pad_boxes(boxes).astype(np.float32),
        bbox_scores=np.array([person.score for person in people], np.float32),
    )
