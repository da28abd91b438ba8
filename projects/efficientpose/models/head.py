"""The detection passes: part affinity fields, then heatmaps, then upsampling."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple, cast

import torch
from mmengine.model import normal_init
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from efficientpose.codecs.targets import Targets
from efficientpose.models.batches import stack_crops
from efficientpose.models.layers import DetectionPass
from efficientpose.models.separable_loss import find_separable_loss, is_mean_square
from efficientpose.models.state_dicts import load_strictly
from efficientpose.models.upsampling import BilinearUpsampler, build_upsampler


def check_limbs(limbs: Sequence[tuple[int, int]], *, num_limbs: int, num_keypoints: int) -> None:
    """Check that a decoder's limbs are as many as the head's and join keypoints that it has.

    Raises:
        ValueError: If not.
    """
    if len(limbs) != num_limbs:
        raise ValueError(f"num_limbs is {num_limbs}, but the decoder has {len(limbs)} limbs")
    if not all(0 <= joint < num_keypoints for limb in limbs for joint in limb):
        raise ValueError(f"the decoder's limbs must join keypoints 0 to {num_keypoints - 1}, got {limbs}")


def read_keypoint_weights(weights: Sequence[float] | None, *, num_keypoints: int) -> Tensor:
    """Return (K,) weights.

    Raises:
        ValueError: If there are not as many as keypoints, or one is negative or not finite, or all are 0.
    """
    read = torch.ones(num_keypoints) if weights is None else torch.tensor(weights, dtype=torch.float32)
    if read.shape != (num_keypoints,) or not read.isfinite().all() or read.min() < 0 or read.max() == 0:
        raise ValueError(f"keypoint_weights must be {num_keypoints} numbers of at least 0, not all 0, got {weights}")
    return read


def read_pass_weights(weights: float | Sequence[float], *, num_passes: int) -> tuple[float, ...]:
    """Return one weight for each heatmap pass; a number alone is that of every pass.

    Raises:
        ValueError: If there are not as many as passes, or one is negative or not finite.
    """
    read = (weights,) * num_passes if isinstance(weights, (int, float)) else tuple(weights)
    if len(read) != num_passes:
        raise ValueError(
            f"heatmap_weight has {len(read)} numbers, but the head has {num_passes} heatmap passes: give one for each "
            "pass, or a single number for all"
        )
    if not all(math.isfinite(weight) and weight >= 0 for weight in read):
        raise ValueError(f"heatmap_weight must be of at least 0 and finite, got {weights}")
    return read


_PREDICTION: Final = ".predict."
_UPSAMPLER: Final = "upsampler."
_COUNTED: Final = {"heatmap_passes.": "keypoints", "paf_pass.": "part affinity channels"}


def explain_map_counts(offered: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    """Say how many maps a checkpoint's head predicts, if nothing else keeps it from fitting another head.

    Args:
        offered: Tensors of the checkpoint's head, which do not fit.
        wanted: Tensors of the other.

    Returns:
        A sentence, and what can be done; None if more than the number of maps differs.
    """
    if offered.keys() != wanted.keys():
        return None
    differing = [name for name, tensor in wanted.items() if offered[name].shape != tensor.shape]
    if not all(_is_for_maps(name, offered[name], wanted[name]) for name in differing):
        return None
    counts = []
    for beginning, things in _COUNTED.items():
        predictions = [name for name in differing if name.startswith(beginning)]
        if predictions:
            counts.append(
                f"it predicts {len(offered[predictions[0]])} {things}, this config {len(wanted[predictions[0]])}"
            )
    if not counts:
        return None
    return (
        f"{'; '.join(counts)}. Give the config the checkpoint's skeleton, or start from all other layers with "
        'model.init_cfg.type="PretrainedKeypoints"'
    )


def _is_for_maps(name: str, offered: Tensor, wanted: Tensor) -> bool:
    """Return whether a tensor has a row for each map: a prediction's, or learnt upsampling."""
    return name.startswith(_UPSAMPLER) or (_PREDICTION in name and offered.shape[1:] == wanted.shape[1:])


class PoseMaps(NamedTuple):
    """Everything the network predicts for a batch.

    Attributes:
        pafs: (B, 2L, H, W) part affinity fields at stride 8; None without the PAF pass.
        heatmaps: (B, K, H, W) at stride 8, one for each heatmap pass.
        full_heatmaps: (B, K, 8H, 8W), the last pass upsampled; None without upsampling.
    """

    pafs: Tensor | None
    heatmaps: tuple[Tensor, ...]
    full_heatmaps: Tensor | None

    @property
    def final(self) -> Tensor:
        """The maps that keypoints are read from."""
        return self.heatmaps[-1] if self.full_heatmaps is None else self.full_heatmaps


@MODELS.register_module()
class EfficientPoseHead(BaseHead):
    """A PAF pass, one or more heatmap passes, and upsampling to the input's resolution.

    The first pass reads the cross-resolution features; every later one reads the previous pass's features followed by
    them. Predicted maps are never fed forward. :meth:`loss` draws its targets from keypoints on the device, so the data
    pipeline needs ``PackPoseInputs(pack_transformed=True)`` and no ``GenerateTarget``.

    Args:
        in_channels: Channels of the cross-resolution features.
        channels: C, channels of each convolution block.
        num_blocks: D, Mobile DenseNets in each pass.
        num_keypoints: K, heatmaps.
        num_limbs: L, part affinity fields; 0 for no PAF pass.
        num_heatmap_passes: Heatmap passes, at least one.
        upsampling: "bilinear" is fixed and equals the released networks; "transposed_conv" is learnable and dense; None
            leaves the maps at stride 8.
        norm_cfg: Normalisation layer, in MMCV's form; None for a batch norm. Every batch norm gets Keras' settings (eps
            1e-3, momentum 0.01) unless it brings its own.
        act_cfg: Activation of the convolution blocks, in MMCV's form; None for E-swish.
        with_squeeze_excite: Whether the blocks have squeeze-and-excitation; the Lite variants' have none.
        loss: Loss of all heatmaps, in MMPose's form.
        paf_loss: Loss of the part affinity fields.
        paf_weight: Weight of that loss.
        heatmap_weight: Weight of the loss of the heatmaps at stride 8: one number for every pass, or one a pass.
        full_heatmap_weight: Weight of the loss of the upsampled heatmaps.
        relative_loss: Divide each loss by its target's mean square, so that an empty map scores about 1 at every sigma.
            A squared error shrinks with sigma² and with it the steps of an optimiser that is not adaptive.
        keypoint_weights: Weight of each keypoint in the losses of heatmaps, (K,); None for 1 each.
        decoder: Codec that draws targets and reads keypoints.

    Raises:
        ValueError: If a count is too small, the upsampling unknown, a weight unusable, or the decoder has other limbs.
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
        upsampling: Literal["bilinear", "transposed_conv"] | None = "bilinear",
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        with_squeeze_excite: bool = True,
        loss: dict | None = None,
        paf_loss: dict | None = None,
        paf_weight: float = 1.0,
        heatmap_weight: float | Sequence[float] = 1.0,
        full_heatmap_weight: float = 1.0,
        relative_loss: bool = True,
        keypoint_weights: Sequence[float] | None = None,
        decoder: dict | None = None,
    ) -> None:
        super().__init__(
            init_cfg=[dict(type="Kaiming", layer="Conv2d"), dict(type="Constant", layer="_BatchNorm", val=1)]
        )
        if min(in_channels, channels // 4, num_blocks, num_keypoints, num_heatmap_passes) < 1 or num_limbs < 0:
            raise ValueError(
                "in_channels, num_blocks, num_keypoints and num_heatmap_passes must be at least 1, channels at least 4 "
                f"and num_limbs at least 0, got {in_channels}, {num_blocks}, {num_keypoints}, {num_heatmap_passes}, "
                f"{channels} and {num_limbs}"
            )
        self.in_channels, self.num_keypoints = in_channels, num_keypoints
        build_pass = partial(DetectionPass, channels=channels, num_blocks=num_blocks, norm_cfg=norm_cfg)
        build_pass = partial(build_pass, act_cfg=act_cfg, with_squeeze_excite=with_squeeze_excite)
        later_channels = 3 * channels + in_channels
        self.paf_pass = build_pass(in_channels=in_channels, num_maps=2 * num_limbs) if num_limbs else None
        first_channels = later_channels if num_limbs else in_channels
        self.heatmap_passes = nn.ModuleList(
            build_pass(in_channels=first_channels if number == 0 else later_channels, num_maps=num_keypoints)
            for number in range(num_heatmap_passes)
        )
        self.upsampler = build_upsampler(upsampling, num_maps=num_keypoints)

        self.loss_module = MODELS.build(loss or dict(type="KeypointMSELoss", use_target_weight=True))
        self.paf_loss_module = MODELS.build(paf_loss or dict(type="KeypointMSELoss", use_target_weight=True))
        self.paf_weight = paf_weight
        self.heatmap_weights = read_pass_weights(heatmap_weight, num_passes=num_heatmap_passes)
        self.full_heatmap_weight = full_heatmap_weight
        self.relative_loss = relative_loss
        weights = read_keypoint_weights(keypoint_weights, num_keypoints=num_keypoints)
        self.register_buffer("keypoint_weights", weights, persistent=False)
        self.decoder = None if decoder is None else KEYPOINT_CODECS.build(decoder)
        if num_limbs and self.decoder is not None:
            check_limbs(self.decoder.limbs, num_limbs=num_limbs, num_keypoints=num_keypoints)
        load_strictly(self, explain=explain_map_counts)

    def init_weights(self) -> None:
        """Initialise the layers; maps start close to zero, as their targets mostly are (MMEngine's contract)."""
        super().init_weights()
        for each in self.passes:
            normal_init(each.predict, std=0.001)

    @property
    def passes(self) -> tuple[DetectionPass, ...]:
        """All passes in the order they run."""
        first = () if self.paf_pass is None else (self.paf_pass,)
        return (*first, *self.heatmap_passes)

    def _pass_features(self, cross_resolution: Tensor) -> list[Tensor]:
        """Run every pass; return each one's features, (B, 3C, H, W)."""
        features: list[Tensor] = []
        for detection_pass in self.passes:
            read = torch.cat((features[-1], cross_resolution), dim=1) if features else cross_resolution
            features.append(detection_pass(read))
        return features

    def forward(self, feats: tuple[Tensor, ...]) -> PoseMaps:
        """Predict all maps from the neck's features, ((B, in_channels, H, W),)."""
        maps = self._predict_before_upsampling(feats)
        return maps if self.upsampler is None else maps._replace(full_heatmaps=self.upsampler(maps.heatmaps[-1]))

    def _predict_before_upsampling(self, feats: tuple[Tensor, ...]) -> PoseMaps:
        features = self._pass_features(feats[-1])
        maps = [each.predict(feature) for each, feature in zip(self.passes, features, strict=True)]
        pafs = None if self.paf_pass is None else maps.pop(0)
        return PoseMaps(pafs=pafs, heatmaps=tuple(maps), full_heatmaps=None)

    def forward_coarse(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Predict only the last pass's heatmaps, (B, K, H, W) at stride 8: what sparse decoding needs."""
        return self.passes[-1].predict(self._pass_features(feats[-1])[-1])

    def forward_deployed(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Predict only the final heatmaps: what inference needs, without the earlier passes' predictions."""
        heatmaps = self.forward_coarse(feats)
        return heatmaps if self.upsampler is None else self.upsampler(heatmaps)

    @property
    def decodes_sparsely(self) -> bool:
        """Whether keypoints are read off the heatmaps at stride 8 as if they were upsampled."""
        return isinstance(self.upsampler, BilinearUpsampler) and getattr(self.decoder, "sparse", False)

    @property
    def learns_separably(self) -> bool:
        """Whether the upsampled heatmaps' loss needs neither them nor their targets, but only factors of both."""
        is_linear = isinstance(self.upsampler, BilinearUpsampler) and getattr(self.decoder, "separable", False)
        return is_linear and is_mean_square(self.loss_module)

    def _check_input_size(self, samples: Sequence[PoseDataSample]) -> None:
        """Refuse crops of another size than the decoder's; their keypoints would come out in a wrong frame."""
        cropped_to = samples[0].metainfo.get("input_size")
        if self.decoder is not None and cropped_to is not None and tuple(cropped_to) != self.decoder.input_size:
            raise ValueError(
                f"the pipeline crops to (width, height) {tuple(cropped_to)}, but the head's decoder has input_size "
                f"{self.decoder.input_size}: set both to the same"
            )

    def predict(
        self,
        feats: tuple[Tensor, ...] | list[tuple[Tensor, ...]],
        batch_data_samples: Sequence[PoseDataSample],
        test_cfg: dict | None = None,
    ) -> list[InstanceData] | tuple[list[InstanceData], list[PixelData]]:
        """Read keypoints off the final heatmaps (MMPose's contract).

        Args:
            feats: The neck's features; with ``flip_test`` a list of those of the images and of the mirrored images.
            batch_data_samples: One a crop; flip test reads ``flip_indices`` from them.
            test_cfg: ``flip_test`` averages with the mirrored crop; ``output_heatmaps`` returns the heatmaps as well.

        Returns:
            Per crop: keypoints (1, K, 2) in the input frame and scores (1, K); with ``output_heatmaps``, MMPose expects
            the pair of these and the heatmaps (K, h, w).
        """
        test_cfg = test_cfg or {}
        self._check_input_size(batch_data_samples)
        sparsely = self.decodes_sparsely
        # Bilinear upsampling is linear and the same for a mirrored map: averages may be upsampled afterwards.
        predict_maps = self.forward_coarse if sparsely else self.forward_deployed
        if test_cfg.get("flip_test", False):
            images, mirrored = cast("list[tuple[Tensor, ...]]", feats)
            flip_indices = batch_data_samples[0].metainfo["flip_indices"]
            swapped_back = flip_heatmaps(predict_maps(mirrored), flip_indices, shift_heatmap=False)
            heatmaps = (predict_maps(images) + swapped_back) / 2
        else:
            heatmaps = predict_maps(cast("tuple[Tensor, ...]", feats))
        readable = heatmaps.detach().float()  # NumPy, which decodes, has no bfloat16
        predictions = self.decode_sparsely(readable) if sparsely else self.decode(readable)
        if test_cfg.get("output_heatmaps", False):
            full = self.upsampler(heatmaps) if sparsely and self.upsampler is not None else heatmaps
            return predictions, [PixelData(heatmaps=each) for each in full.detach()]
        return predictions

    def decode_sparsely(self, heatmaps: Tensor) -> list[InstanceData]:
        """Read keypoints off heatmaps (B, K, H, W) at stride 8, as :meth:`decode` would off upsampled ones."""
        assert self.decoder is not None  # noqa: S101 - decodes_sparsely says so
        keypoints, scores = self.decoder.decode_sparsely(heatmaps.cpu().numpy())
        return [
            InstanceData(keypoints=points[None], keypoint_scores=point_scores[None])
            for points, point_scores in zip(keypoints, scores, strict=True)
        ]

    def loss(
        self,
        feats: tuple[Tensor, ...],
        batch_data_samples: Sequence[PoseDataSample],
        train_cfg: dict | None = None,  # noqa: ARG002 - MMPose passes it
    ) -> dict[str, Tensor]:
        """Compare every map with its target (MMPose's contract).

        Args:
            feats: The neck's features.
            batch_data_samples: One a crop, with ``gt_instances.transformed_keypoints`` (1, K, 2) in the input frame and
                ``gt_instances.keypoints_visible`` (1, K).
            train_cfg: Not used.

        Returns:
            As :meth:`compare`.
        """
        separably = self.learns_separably
        maps = self._predict_before_upsampling(feats) if separably else self.forward(feats)
        return self.compare(maps, self.draw_targets(maps, batch_data_samples, separably=separably))

    def draw_targets(self, maps: PoseMaps, samples: Sequence[PoseDataSample], *, separably: bool = False) -> Targets:
        """Draw what ``maps`` should be, from samples as :meth:`loss` takes them."""
        if self.decoder is None:
            raise RuntimeError("the loss needs targets: give EfficientPoseHead a decoder")
        self._check_input_size(samples)
        keypoints, labelled = stack_crops(samples, device=maps.final.device)
        shrunk_to = samples[0].metainfo.get("shrunk_to")  # by ShrinkCrops
        codec = self.decoder if shrunk_to is None else self.decoder.resized(shrunk_to)
        return codec.render(
            keypoints,
            labelled,
            with_pafs=maps.pafs is not None,
            with_full_heatmaps=separably or maps.full_heatmaps is not None,
            separably=separably,
        )

    def compare(self, maps: PoseMaps, target: Targets) -> dict[str, Tensor]:
        """Return ``loss_pafs``, ``loss_heatmaps_1`` and so on, ``loss_full_heatmaps``, as far as these maps exist."""
        keypoint_weights = (target.keypoint_weights.movedim(1, -1) * self.keypoint_weights).movedim(-1, 1)
        energies = (target.heatmap_energy, target.paf_energy)
        heatmap_scale, paf_scale = (1 / energy if self.relative_loss else 1.0 for energy in energies)
        losses = {}
        if maps.pafs is not None:
            weights = cast(Tensor, target.limb_weights).repeat_interleave(2, dim=1)
            loss = self.paf_loss_module(maps.pafs, target.pafs, weights)
            losses["loss_pafs"] = self.paf_weight * paf_scale * loss
        for number, (heatmaps, weight) in enumerate(zip(maps.heatmaps, self.heatmap_weights, strict=True), start=1):
            loss = self.loss_module(heatmaps, target.heatmaps, keypoint_weights)
            losses[f"loss_heatmaps_{number}"] = weight * heatmap_scale * loss
        full = None
        if maps.full_heatmaps is not None:
            full = self.loss_module(maps.full_heatmaps, target.full_heatmaps, keypoint_weights)
        elif target.separable_heatmaps is not None:  # for maps that need not be upsampled
            full = find_separable_loss(self.loss_module, maps.heatmaps[-1], target.separable_heatmaps, keypoint_weights)
        if full is not None:
            losses["loss_full_heatmaps"] = self.full_heatmap_weight * heatmap_scale * full
        return losses
