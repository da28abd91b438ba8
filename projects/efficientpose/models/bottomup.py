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
from efficientpose.models.criterion import PoseMaps, stack_padded, stack_people
from efficientpose.models.head import EfficientPoseHead


@MODELS.register_module()
class PafPoseEstimator(BottomupPoseEstimator):
    """Backbone, neck and head of a top-down EfficientPose over a whole scene; the same checkpoint fits.

    For inference the pipeline needs ``BottomupResize`` with ``size_factor=8``; images of one batch have one size.
    ``test_cfg`` knows ``flip_test`` and ``output_heatmaps``. It is trained top-down, one person a crop, or as it is, on
    scenes: then the pipeline needs :class:`~efficientpose.datasets.scenes.SceneWindow`.

    Args:
        keypoint_names: In the order of the heatmaps.
        min_peak: Lower peaks are left out.
        radius: Distance in input pixels below which two peaks of one keypoint are one.
        limb_rule: Arguments of :class:`~efficientpose.core.grouping.LimbRule`.
        grouping_rule: Arguments of :class:`~efficientpose.core.grouping.GroupingRule`.
        **network: Backbone, neck, head and so on in MMPose's form. The head is an
            :class:`~efficientpose.models.head.EfficientPoseHead` with part affinity fields and a decoder.

    Raises:
        ValueError: If the head is another, has no part affinity fields or no decoder, or a number is out of its range.
    """

    def __init__(
        self,
        *,
        keypoint_names: Sequence[str] = KEYPOINT_NAMES,
        min_peak: float = 0.1,
        radius: float = 12.0,
        limb_rule: Mapping[str, Any] | None = None,
        grouping_rule: Mapping[str, Any] | None = None,
        **network: Any,
    ) -> None:
        super().__init__(**network)
        if not isinstance(self.head, EfficientPoseHead) or self.head.paf_pass is None or self.head.decoder is None:
            raise ValueError(
                "people are grouped along part affinity fields: the head must be an EfficientPoseHead with num_limbs "
                f"and a decoder, got {type(self.head).__name__}"
            )
        if self.head.upsampler is not None and not self.head.upsampler.state_dict():
            self.head.upsampler = None  # people are found at stride 8
        self.decoder = PeopleDecoder(
            limbs=self.head.decoder.limbs,
            keypoint_names=keypoint_names,
            blur_sigma=self.head.decoder.blur_sigma,
            min_peak=min_peak,
            radius=radius,
            rule=GroupingRule(limb=LimbRule(**(limb_rule or {})), **(grouping_rule or {})),
        )

    def loss(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> dict[str, Tensor]:
        """Compare the output of scenes (B, 3, H, W) with the targets of all people in them (MMPose's contract).

        Samples are as :func:`~efficientpose.models.criterion.stack_people` takes them, with ``gt_instances.bboxes``
        (P, 4) in the input frame; H and W are the decoder's ``input_size``.
        """
        if self.head.upsampler is not None:
            raise ValueError('scenes are trained at stride 8: set the head\'s upsampling to "bilinear" or None')
        input_size = (inputs.shape[-1], inputs.shape[-2])
        if input_size != self.head.decoder.input_size:
            raise ValueError(
                f"the pipeline cuts windows of (width, height) {input_size}, but the head's decoder has input_size "
                f"{self.head.decoder.input_size}: set both to the same"
            )
        outputs: PoseMaps = self.head.forward(self.extract_feat(inputs))
        people = stack_people(data_samples, device=inputs.device)
        boxes = stack_padded([sample.gt_instances.bboxes for sample in data_samples], inputs.device)  # (B, P, 4)
        return self.head.criterion(outputs, self.head.decoder.render_scenes(*people, boxes))

    def predict(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> list[PoseDataSample]:
        """Find all people in each scene (B, 3, H, W), sides multiples of 8 (MMPose's contract).

        The samples, with ``input_size``, ``input_center`` and ``input_scale``, get ``pred_instances``: keypoints
        (N, K, 2) in the image, keypoint_scores (N, K), bboxes (N, 4) and bbox_scores (N,), best first. A keypoint that
        was not found has x, y and score 0. ``pred_fields`` has the heatmaps (K, H / 8, W / 8) if
        ``test_cfg.output_heatmaps`` asks for them.
        """
        flip_indices = data_samples[0].metainfo.get("flip_indices", FLIP_INDICES)
        heatmaps, pafs = self.predict_maps(inputs, flip_indices=flip_indices)
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
        """Return heatmaps (B, K, H / 8, W / 8) and part affinity fields (B, 2L, H / 8, W / 8) of inputs (B, 3, H, W).

        Flip test reads ``flip_indices``: for each keypoint the one on the other side.
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
        outputs: PoseMaps = self.head.forward(self.extract_feat(inputs))
        assert outputs.pafs is not None  # noqa: S101 - the constructor checks it
        return outputs.heatmaps[-1].detach().float().cpu().numpy(), outputs.pafs.detach().float().cpu().numpy()


def _to_instances(people: tuple[GroupedPerson, ...], *, num_keypoints: int) -> InstanceData:
    """Return people in the input's frame; a keypoint that was not found has the score 0."""
    keypoints = np.array([person.keypoints for person in people]).reshape(-1, num_keypoints, 2)
    boxes = boxes_around(keypoints)
    return InstanceData(
        keypoints=np.nan_to_num(keypoints).astype(np.float32),
        keypoint_scores=np.array([person.scores for person in people], np.float32).reshape(-1, num_keypoints),
        bboxes=pad_boxes(boxes).astype(np.float32),
        bbox_scores=np.array([person.score for person in people], np.float32),
    )
