"""What the network learns from: the targets of a batch, and the loss of every output against them.

Every loss is a mean squared error (Groos et al. 2020). That of the upsampled heatmaps is 64 times as large as the
others, but need not be: a target is the outer product g of a column and a row, and bilinear upsampling multiplies a
heatmap h at stride 8 by one matrix an axis, U(h) = Y h Xᵀ. So the sum of squares over every pixel is, exactly,

    ‖U(h) - g‖² = ⟨h, YᵀY h XᵀX⟩ - 2 ⟨h, (Yᵀ column) (Xᵀ row)ᵀ⟩ + ‖column‖² ‖row‖²

and neither outputs nor targets at full resolution are ever made. See :func:`compute_upsampled_errors`.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from efficientpose.codecs.targets import SeparableMaps, Targets, weights_of_labels
from efficientpose.core.decoding import make_axis_matrices


class PoseMaps(NamedTuple):
    """Everything the network predicts for a batch."""

    pafs: Tensor | None  # (B, 2L, H, W) part affinity fields at stride 8; None without the PAF pass
    heatmaps: tuple[Tensor, ...]  # (B, K, H, W) at stride 8, one for each heatmap pass
    full_heatmaps: Tensor | None  # (B, K, 8H, 8W), the last pass upsampled; None if they are not made
    earlier_pafs: tuple[Tensor, ...] = ()  # (B, 2L, H, W), one for each PAF pass before the last

    @property
    def final(self) -> Tensor:
        """The heatmaps that keypoints are read from."""
        return self.heatmaps[-1] if self.full_heatmaps is None else self.full_heatmaps


class PoseCriterion(nn.Module):
    """The losses of a head's outputs. Its arguments, but the first two, are the head's ``losses=dict(...)``.

    Args:
        num_keypoints: K.
        num_heatmap_passes: Heatmap passes of the head.
        heatmap_loss: Loss of all heatmaps, in MMPose's form; None for the mean squared error.
        paf_loss: Loss of the part affinity fields; None for the mean squared error.
        heatmap_weight: Weight of the loss of the heatmaps at stride 8: one number for every pass, or one a pass.
        full_heatmap_weight: Weight of the loss of the upsampled heatmaps.
        paf_weight: Weight of the loss of the part affinity fields.
        keypoint_weights: Weight of each keypoint in the losses of heatmaps, (K,); None for 1 each.
        relative: Divide each loss by the mean square of its target, so that an output of zeros scores about 1 at every
            sigma. A squared error shrinks with sigma², and with it the steps of an optimiser that is not adaptive.

    Raises:
        ValueError: If weights are not as many as keypoints or passes, or unusable.
    """

    keypoint_weights: Tensor

    def __init__(
        self,
        *,
        num_keypoints: int,
        num_heatmap_passes: int,
        heatmap_loss: dict | None = None,
        paf_loss: dict | None = None,
        heatmap_weight: float | Sequence[float] = 1.0,
        full_heatmap_weight: float = 1.0,
        paf_weight: float = 1.0,
        keypoint_weights: Sequence[float] | None = None,
        relative: bool = True,
    ) -> None:
        super().__init__()
        mean_square = dict(type="KeypointMSELoss", use_target_weight=True)
        self.heatmap_loss = MODELS.build(heatmap_loss or mean_square)
        self.paf_loss = MODELS.build(paf_loss or mean_square)
        if isinstance(heatmap_weight, (int, float)):
            heatmap_weight = [heatmap_weight] * num_heatmap_passes
        if len(heatmap_weight) != num_heatmap_passes or not all(0 <= weight < math.inf for weight in heatmap_weight):
            raise ValueError(
                f"heatmap_weight must be {num_heatmap_passes} finite numbers of at least 0, one for each heatmap pass, "
                f"or a single number for all, got {heatmap_weight}"
            )
        weights = torch.tensor([1.0] * num_keypoints if keypoint_weights is None else keypoint_weights).float()
        if weights.shape != (num_keypoints,) or not weights.isfinite().all() or weights.min() < 0 or not weights.any():
            raise ValueError(
                f"keypoint_weights must be {num_keypoints} numbers of at least 0, not all 0, got {keypoint_weights}"
            )
        self.register_buffer("keypoint_weights", weights, persistent=False)
        self.heatmap_weights = tuple(heatmap_weight)
        self.full_heatmap_weight, self.paf_weight = full_heatmap_weight, paf_weight
        self.relative = relative

    @property
    def is_mean_square(self) -> bool:
        """Whether the loss of heatmaps is a mean of squares, each heatmap's times its weight, and nothing else."""
        return type(self.heatmap_loss) is KeypointMSELoss and not self.heatmap_loss.skip_empty_channel

    def forward(self, outputs: PoseMaps, targets: Targets) -> dict[str, Tensor]:
        """Compare every output with its target.

        With ``targets.separable_heatmaps`` the last heatmaps are compared as if they were upsampled. Returns scalars
        ``loss_pafs``, with ``loss_pafs_1`` and so on of earlier PAF passes, ``loss_heatmaps_1`` and so on, and
        ``loss_full_heatmaps``, for the outputs there are.
        """
        # (B, K) of crops, (B, K, H, W) of scenes
        weights = (targets.keypoint_weights.movedim(1, -1) * self.keypoint_weights).movedim(-1, 1)
        heatmap_scale = 1 / targets.heatmap_energy if self.relative else 1.0
        paf_scale = 1 / targets.paf_energy if self.relative else 1.0
        losses = {}
        if outputs.pafs is not None:
            limb_weights = cast(Tensor, targets.limb_weights).repeat_interleave(2, dim=1)  # (B, 2L): of x and y
            names = *(f"loss_pafs_{number + 1}" for number in range(len(outputs.earlier_pafs))), "loss_pafs"
            for name, pafs in zip(names, (*outputs.earlier_pafs, outputs.pafs), strict=True):
                losses[name] = self.paf_weight * paf_scale * self.paf_loss(pafs, targets.pafs, limb_weights)
        for number, (heatmaps, weight) in enumerate(zip(outputs.heatmaps, self.heatmap_weights, strict=True), start=1):
            loss = self.heatmap_loss(heatmaps, targets.heatmaps, weights)
            losses[f"loss_heatmaps_{number}"] = weight * heatmap_scale * loss
        full_loss = None
        if outputs.full_heatmaps is not None:
            full_loss = self.heatmap_loss(outputs.full_heatmaps, targets.full_heatmaps, weights)
        elif targets.separable_heatmaps is not None:
            errors = compute_upsampled_errors(outputs.heatmaps[-1], targets.separable_heatmaps)  # (B, K)
            full_loss = self.heatmap_loss.loss_weight * (weights * errors).mean()
        if full_loss is not None:
            losses["loss_full_heatmaps"] = self.full_heatmap_weight * heatmap_scale * full_loss
        return losses


def stack_people(samples: Sequence[PoseDataSample], *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return keypoints (B, P, K, 2) of a batch's people, and their weights (B, P, K), 0 where they are not labelled.

    Empty places hold zeros.

    Args:
        samples: B of them, with up to P people in ``gt_instances``: ``transformed_keypoints`` (P, K, 2) in the input
            frame and ``keypoints_visible`` (P, K), or (P, K, 2) with MMPose's column of weights.
        device: Of the result.

    Raises:
        ValueError: If the keypoints are not in the input frame.
    """
    people = [sample.gt_instances for sample in samples]
    if not all("transformed_keypoints" in each for each in people):
        drawn = "gt_fields" in samples[0]
        raise ValueError(
            ("the pipeline draws heatmaps, but this head draws its own: leave GenerateTarget out; " if drawn else "")
            + "the training pipeline must end in PackPoseInputs(pack_transformed=True), and that of scenes must have "
            "SceneWindow before it, so that samples carry keypoints in the input frame"
        )
    keypoints = [each.transformed_keypoints[..., :2] for each in people]
    weights = [weights_of_labels(each.keypoints_visible) for each in people]
    return stack_padded(keypoints, device), stack_padded(weights, device)


def stack_padded(arrays: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Stack B arrays (P_i, ...) as float32 (B, max P_i, ...) on a device, filled up with zeros."""
    stacked = np.zeros((len(arrays), max(map(len, arrays)), *np.shape(arrays[0])[1:]), np.float32)
    for place, array in zip(stacked, arrays, strict=True):
        place[: len(array)] = array
    return torch.from_numpy(stacked).to(device)


class _Axis(NamedTuple):
    upsampling: Tensor  # (pixels, cells)
    products: Tensor  # (cells, cells): of every two cells' weights, summed over pixels


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept serves training later
def _find_axis(num_cells: int, stride: int, device: torch.device) -> _Axis:
    upsampling = torch.from_numpy(make_axis_matrices(num_cells, stride=stride, blur_sigma=0).upsampled)
    products = upsampling.T @ upsampling
    return _Axis(*(each.to(device, torch.float32) for each in (upsampling, products)))


def compute_upsampled_errors(heatmaps: Tensor, targets: SeparableMaps) -> Tensor:
    """Return the mean squared error (B, K) of each heatmap as if it were upsampled bilinearly, without upsampling.

    It is float32, whatever precision the heatmaps have; rounding may take what is zero a little below it.

    Args:
        heatmaps: (B, K, h, w). The upsampling is that of :class:`~efficientpose.models.upsampling.BilinearUpsampler`.
        targets: Columns (B, K, h · s) and rows (B, K, w · s), whose products are the targets; s is a power of 2.
    """
    columns, rows = targets
    stride = columns.shape[-1] // heatmaps.shape[-2]
    y, x = (_find_axis(num_cells, stride, heatmaps.device) for num_cells in heatmaps.shape[-2:])
    with torch.autocast(heatmaps.device.type, enabled=False):
        heatmaps = heatmaps.float()
        squared = y.products @ heatmaps @ x.products  # YᵀY h XᵀX: (B, K, h, w)
        drawn = (columns @ y.upsampling).unsqueeze(-1) * (rows @ x.upsampling).unsqueeze(-2)  # (B, K, h, w)
        sums = (heatmaps * (squared - 2 * drawn)).sum((-2, -1))  # (B, K)
        sums = sums + columns.square().sum(-1) * rows.square().sum(-1)
    return sums / (columns.shape[-1] * rows.shape[-1])
