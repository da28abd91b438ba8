"""The detection passes: part affinity fields, then heatmaps, then upsampling."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

import torch
from mmengine.model import normal_init
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from efficientpose.codecs.targets import Targets
from efficientpose.models.criterion import PoseCriterion, PoseMaps, stack_people
from efficientpose.models.layers import DetectionPass
from efficientpose.models.openpose import OpenPosePass
from efficientpose.models.state_dicts import load_strictly
from efficientpose.models.upsampling import BilinearUpsampler, build_upsampler

# Arguments that heads had before there was ``losses``, and their keys in it.
REPLACED_ARGUMENTS: Final = {
    "loss": "heatmap_loss",
    "relative_loss": "relative",
    **{name: name for name in ("paf_loss", "paf_weight", "heatmap_weight", "full_heatmap_weight", "keypoint_weights")},
}


@MODELS.register_module()
class EfficientPoseHead(BaseHead):
    """A PAF pass, one or more heatmap passes, and upsampling to the input's resolution.

    The first pass reads the cross-resolution features; every later one reads the previous pass's features followed by
    them, in OpenPose what that pass predicted followed by them. :meth:`loss` draws its targets from keypoints on the
    device, so the data pipeline needs ``PackPoseInputs(pack_transformed=True)`` and no ``GenerateTarget``.

    Args:
        in_channels: Channels of the cross-resolution features.
        channels: C, channels of each convolution block.
        num_blocks: D, Mobile DenseNets in each pass.
        num_keypoints: K, heatmaps.
        num_limbs: L, part affinity fields; 0 for no PAF pass.
        num_heatmap_passes: Heatmap passes, at least one.
        num_paf_passes: Passes for part affinity fields, where there are limbs.
        architecture: "efficientpose" has Mobile DenseNets, "openpose" dense blocks of 3×3 convolutions, to which
            ``norm_cfg``, ``act_cfg`` and ``with_squeeze_excite`` do not apply.
        upsampling: "bilinear" is fixed and equals the released networks; "transposed_conv" is learnable and dense; None
            leaves the heatmaps at stride 8.
        norm_cfg: Normalisation layer, in MMCV's form; None for a batch norm. Every batch norm gets Keras' settings (eps
            1e-3, momentum 0.01) unless it brings its own.
        act_cfg: Activation of the convolution blocks, in MMCV's form; None for E-swish.
        with_squeeze_excite: Whether the blocks have squeeze-and-excitation; the Lite variants' have none.
        losses: Arguments of :class:`~efficientpose.models.criterion.PoseCriterion`.
        decoder: Codec that draws targets and reads keypoints.

    Raises:
        ValueError: If a count is too small, the upsampling unknown, a weight unusable, or the decoder has other limbs.
        TypeError: If there is no such argument.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        channels: int,
        num_blocks: int,
        num_keypoints: int = 16,
        num_limbs: int = 14,
        num_heatmap_passes: int = 2,
        num_paf_passes: int = 1,
        architecture: Literal["efficientpose", "openpose"] = "efficientpose",
        upsampling: Literal["bilinear", "transposed_conv"] | None = "bilinear",
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        with_squeeze_excite: bool = True,
        losses: dict | None = None,
        decoder: dict | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(
            init_cfg=[dict(type="Kaiming", layer="Conv2d"), dict(type="Constant", layer="_BatchNorm", val=1)]
        )
        for name in unknown:
            hint = f": it is losses.{REPLACED_ARGUMENTS[name]} now" if name in REPLACED_ARGUMENTS else ""
            raise TypeError(f"EfficientPoseHead has no argument {name!r}{hint}")
        if architecture not in ("efficientpose", "openpose"):
            raise ValueError(f'architecture must be "efficientpose" or "openpose", got {architecture!r}')
        counts = (in_channels, num_blocks, num_keypoints, num_heatmap_passes, num_paf_passes)
        if min(*counts, channels // 4) < 1 or num_limbs < 0:
            raise ValueError(
                "in_channels, num_blocks, num_keypoints, num_heatmap_passes and num_paf_passes must be at least 1, "
                f"channels at least 4 and num_limbs at least 0, got {counts}, {channels} and {num_limbs}"
            )
        self.in_channels, self.num_keypoints = in_channels, num_keypoints
        num_pafs = num_paf_passes if num_limbs else 0
        passes: list[DetectionPass | OpenPosePass] = []
        for number in range(num_pafs + num_heatmap_passes):
            settings: dict[str, Any] = dict(channels=channels, num_blocks=num_blocks)
            settings["in_channels"] = in_channels + (passes[-1].handed_channels if passes else 0)
            settings["num_maps"] = 2 * num_limbs if number < num_pafs else num_keypoints
            if architecture == "openpose":
                passes.append(OpenPosePass(**settings, is_first=number in (0, num_pafs)))
            else:
                settings |= dict(norm_cfg=norm_cfg, act_cfg=act_cfg, with_squeeze_excite=with_squeeze_excite)
                passes.append(DetectionPass(**settings))
        self.earlier_paf_passes = nn.ModuleList(passes[: max(num_pafs - 1, 0)])
        self.paf_pass = passes[num_pafs - 1] if num_pafs else None
        self.heatmap_passes = nn.ModuleList(passes[num_pafs:])
        self.hands_on_maps = architecture == "openpose"
        self.upsampler = build_upsampler(upsampling, num_maps=num_keypoints)
        self.criterion = PoseCriterion(
            num_keypoints=num_keypoints, num_heatmap_passes=num_heatmap_passes, **(losses or {})
        )
        self.decoder = None if decoder is None else KEYPOINT_CODECS.build(decoder)
        if num_limbs and self.decoder is not None:
            limbs = self.decoder.limbs
            if len(limbs) != num_limbs:
                raise ValueError(f"num_limbs is {num_limbs}, but the decoder has {len(limbs)} limbs")
            if not all(0 <= keypoint < num_keypoints for limb in limbs for keypoint in limb):
                raise ValueError(f"the decoder's limbs must join keypoints 0 to {num_keypoints - 1}, got {limbs}")
        load_strictly(self, explain=explain_other_skeleton)

    def init_weights(self) -> None:
        """Initialise the layers; outputs start close to zero, as their targets mostly are (MMEngine's contract)."""
        super().init_weights()
        for each in self.passes:
            normal_init(each.predict, std=0.001)

    @property
    def passes(self) -> tuple[DetectionPass | OpenPosePass, ...]:
        """All passes in the order they run."""
        last = () if self.paf_pass is None else (self.paf_pass,)
        return (*self.earlier_paf_passes, *last, *self.heatmap_passes)

    def forward(self, feats: tuple[Tensor, ...]) -> PoseMaps:
        """Predict everything from the neck's features, ((B, in_channels, H, W),)."""
        maps = self._forward_stride_8(feats)
        return maps if self.upsampler is None else maps._replace(full_heatmaps=self.upsampler(maps.heatmaps[-1]))

    def _forward_stride_8(self, feats: tuple[Tensor, ...]) -> PoseMaps:
        """Predict everything but the upsampled heatmaps."""
        maps = self._run_passes(feats[-1], with_all_maps=True)
        num_pafs = len(maps) - len(self.heatmap_passes)
        pafs, heatmaps = maps[:num_pafs], tuple(maps[num_pafs:])
        last = pafs.pop() if pafs else None
        return PoseMaps(pafs=last, heatmaps=heatmaps, full_heatmaps=None, earlier_pafs=tuple(pafs))

    def _run_passes(self, cross_resolution: Tensor, *, with_all_maps: bool) -> list[Tensor]:
        """Run every pass; return the maps of all, or of the last and those that others read."""
        maps: list[Tensor] = []
        handed_on: tuple[Tensor, ...] = ()
        for each in self.passes:
            # (B, in_channels, H, W) for the first pass, with 3C or 2L or K channels before them for the others
            features = each(torch.cat((*handed_on, cross_resolution), dim=1) if handed_on else cross_resolution)
            if with_all_maps or self.hands_on_maps or each is self.passes[-1]:
                maps.append(each.predict(features))
            handed_on = (maps[-1] if self.hands_on_maps else features,)
        return maps

    def forward_coarse(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Predict only the last pass's heatmaps, (B, K, H, W) at stride 8: what sparse decoding needs."""
        return self._run_passes(feats[-1], with_all_maps=False)[-1]

    def forward_deployed(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Predict only the final heatmaps: what inference needs, without the earlier passes' predictions."""
        heatmaps = self.forward_coarse(feats)
        return heatmaps if self.upsampler is None else self.upsampler(heatmaps)

    @property
    def decodes_sparsely(self) -> bool:
        """Whether keypoints are read off the heatmaps at stride 8 as if they were upsampled."""
        return isinstance(self.upsampler, BilinearUpsampler) and getattr(self.decoder, "sparse", False)

    def predict(
        self,
        feats: tuple[Tensor, ...] | list[tuple[Tensor, ...]],
        batch_data_samples: Sequence[PoseDataSample],
        test_cfg: dict | None = None,
    ) -> list[InstanceData] | tuple[list[InstanceData], list[PixelData]]:
        """Read keypoints off the final heatmaps (MMPose's contract).

        Returns keypoints (1, K, 2) in the input frame and scores (1, K) per crop; with ``output_heatmaps``, the pair of
        these and the heatmaps (K, h, w).

        Args:
            feats: The neck's features; with ``flip_test`` a list of those of the images and of the mirrored images.
            batch_data_samples: One a crop; flip test reads ``flip_indices`` from them.
            test_cfg: ``flip_test`` averages with the mirrored crop; ``output_heatmaps`` returns them too, at the
                input's resolution, or with "coarse" as the decoder reads them.
        """
        test_cfg = test_cfg or {}
        self._check_samples(batch_data_samples)
        sparsely = self.decodes_sparsely
        # Bilinear upsampling is linear and the same for a mirrored heatmap: averages may be upsampled afterwards.
        predict_heatmaps = self.forward_coarse if sparsely else self.forward_deployed
        if test_cfg.get("flip_test", False):
            images, mirrored = cast("list[tuple[Tensor, ...]]", feats)
            flip_indices = batch_data_samples[0].metainfo["flip_indices"]
            swapped_back = flip_heatmaps(predict_heatmaps(mirrored), flip_indices, shift_heatmap=False)
            heatmaps = (predict_heatmaps(images) + swapped_back) / 2
        else:
            heatmaps = predict_heatmaps(cast("tuple[Tensor, ...]", feats))
        readable = heatmaps.detach().float()  # NumPy, which decodes, has no bfloat16
        predictions = self._decode_sparsely(readable) if sparsely else self.decode(readable)
        if test_cfg.get("output_heatmaps", False):
            if sparsely and self.upsampler is not None and test_cfg["output_heatmaps"] != "coarse":
                heatmaps = self.upsampler(heatmaps)
            return predictions, [PixelData(heatmaps=each) for each in heatmaps.detach()]
        return predictions

    def _decode_sparsely(self, heatmaps: Tensor) -> list[InstanceData]:
        """Read keypoints off heatmaps (B, K, H, W) at stride 8, as :meth:`decode` would off upsampled ones."""
        peaks = cast(Any, self.decoder).decode_sparsely(heatmaps.cpu().numpy())  # (B, K, 2), (B, K)
        return [
            InstanceData(keypoints=keypoints[None], keypoint_scores=scores[None])
            for keypoints, scores in zip(*peaks, strict=True)
        ]

    def loss(
        self,
        feats: tuple[Tensor, ...],
        batch_data_samples: Sequence[PoseDataSample],
        train_cfg: dict | None = None,  # noqa: ARG002 - MMPose passes it
    ) -> dict[str, Tensor]:
        """Return the criterion's losses of every output (MMPose's contract).

        Samples, one a crop, have ``gt_instances.transformed_keypoints`` (1, K, 2) in the input frame and
        ``gt_instances.keypoints_visible`` (1, K), or (1, K, 2) with a column of weights.
        """
        separably = self.learns_separably
        outputs = self._forward_stride_8(feats) if separably else self.forward(feats)
        return self.criterion(outputs, self.draw_targets(outputs, batch_data_samples, separably=separably))

    @property
    def learns_separably(self) -> bool:
        """Whether the loss of the upsampled heatmaps needs neither them nor their targets, but only factors of both."""
        is_linear = isinstance(self.upsampler, BilinearUpsampler) and getattr(self.decoder, "separable", False)
        return is_linear and self.criterion.is_mean_square

    def draw_targets(self, outputs: PoseMaps, samples: Sequence[PoseDataSample], *, separably: bool = False) -> Targets:
        """Draw targets of the outputs that are not None; ``separably`` leaves full heatmaps as columns and rows."""
        if self.decoder is None:
            raise RuntimeError("the loss needs targets: give EfficientPoseHead a decoder")
        self._check_samples(samples)
        people = stack_people(samples, device=outputs.final.device)
        shrunk_to = samples[0].metainfo.get("shrunk_to")  # by ShrinkCrops
        codec = self.decoder if shrunk_to is None else self.decoder.resized(shrunk_to)
        return codec.render(
            *(each.squeeze(1) for each in people),  # (B, K, 2) and (B, K): crops show one person
            with_pafs=outputs.pafs is not None,
            with_full_heatmaps=separably or outputs.full_heatmaps is not None,
            separably=separably,
        )

    def _check_samples(self, samples: Sequence[PoseDataSample]) -> None:
        """Refuse other keypoints than the head's, and crops of another size, whose keypoints' frame would be wrong."""
        truth = samples[0].get("gt_instances", {})
        if "keypoints" in truth and truth["keypoints"].shape[-2] != self.num_keypoints:
            raise ValueError(
                f"the head has num_keypoints={self.num_keypoints}, but the dataset has {truth['keypoints'].shape[-2]}: "
                "set both to the same, or put KeypointConverter into the pipeline"
            )
        cropped_to = samples[0].metainfo.get("input_size")
        if self.decoder is not None and cropped_to is not None and tuple(cropped_to) != self.decoder.input_size:
            raise ValueError(
                f"the pipeline crops to (width, height) {tuple(cropped_to)}, but the head's decoder has input_size "
                f"{self.decoder.input_size}: set both to the same"
            )


def explain_other_skeleton(offered: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    """Explain why tensors of a checkpoint's head do not fit, if only the numbers of keypoints and limbs differ."""
    if offered.keys() != wanted.keys():
        return None
    counts = {}
    for name, tensor in wanted.items():
        other = offered[name]
        if other.shape == tensor.shape or name.startswith("upsampler."):
            continue
        if ".predict." not in name or other.shape[1:] != tensor.shape[1:]:
            return None
        things = "part affinity channels" if name.startswith("paf_pass.") else "keypoints"
        counts[things] = f"it predicts {len(other)} {things}, this config {len(tensor)}"
    if not counts:
        return None
    return (
        f"{'; '.join(counts[things] for things in sorted(counts))}. Give the config the checkpoint's skeleton, or "
        'start from all other layers with model.init_cfg.type="PretrainedKeypoints"'
    )
