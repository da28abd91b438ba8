"""The network that is exported: one pose estimator, folded, with only what the outputs need."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor, nn

from efficientpose.core.decoding import STRIDE
from efficientpose.export.folding import fold_branch, fold_pass, fold_prediction, fold_upsampler, measure_inputs
from efficientpose.export.layers import InputShift, PaddedConv2d, PassFeatures, Resampling
from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.head import EfficientPoseHead
from efficientpose.models.upsampling import BilinearUpsampler, TransposedConvUpsampler, bilinear_kernel

RTMLIB_MEAN = (123.675, 116.28, 103.53)
RTMLIB_STD = (58.395, 57.12, 57.375)

_CELLS_FROM_BORDER = 2  # the upsampled values of cells this far from the edge do not depend on the zeros beyond it


def resampling_matrix(side: int) -> Tensor:
    """Return the matrix from stride-8 cells to rtmlib's along one axis of ``side`` pixels, (side + 1, side / 8)."""
    num_cells = side // STRIDE
    # (cells, 1, cells, 5): heatmap i has a row i of ones
    rows = torch.eye(num_cells)[:, None, :, None].expand(-1, -1, -1, 2 * _CELLS_FROM_BORDER + 1)
    upsampled = BilinearUpsampler()(rows)[:, 0, :, STRIDE * _CELLS_FROM_BORDER]
    return torch.cat((upsampled.T, torch.zeros(1, num_cells)))


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to export.

    Raises ValueError if two of these exclude each other.
    """

    # "heatmaps" at stride 8, for our decoder, or "full" at every input pixel
    outputs: Literal["heatmaps", "full"] = "heatmaps"
    pafs: bool = False  # whether to output the part affinity fields as well
    normalise_inside: bool = False  # whether the network takes 0 to 255 and normalises by itself
    # input and output as our runtime ("ours") or rtmlib's class for heatmaps ("rtmlib") takes them
    layout: Literal["ours", "rtmlib"] = "ours"
    # type of the stored weights; with "int8" also of most of the arithmetic
    precision: Literal["float32", "float16", "int8"] = "float32"

    def __post_init__(self) -> None:
        if self.layout == "rtmlib" and (self.pafs or self.normalise_inside or self.outputs == "full"):
            raise ValueError("rtmlib normalises by itself and reads heatmaps alone: leave out the other options")
        if self.precision == "int8" and (self.layout == "rtmlib" or self.outputs == "full"):
            raise ValueError('int8 is for our layout and the outputs "heatmaps"')


class DeployedNetwork(nn.Module):
    """Folded network in plain torch; its outputs are "heatmaps" and, if exported, "pafs"."""

    def __init__(
        self,
        *,
        shift: Tensor | None,
        branches: list[nn.Sequential],
        passes: list[PassFeatures],
        paf_prediction: PaddedConv2d | None,
        prediction: PaddedConv2d,
        ending: nn.Module | None,
        input_size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.normalise = None if shift is None else InputShift(shift)
        self.branches = nn.ModuleList(branches)
        self.halve = nn.AvgPool2d(2)
        self.passes = nn.ModuleList(passes)
        self.paf_prediction = paf_prediction
        self.prediction = prediction
        self.ending = ending
        self.input_size = input_size
        self.output_names = ("heatmaps",) if paf_prediction is None else ("heatmaps", "pafs")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Predict heatmaps (B, K, H', W') and, if exported, part affinity fields (B, 2L, H / 8, W / 8)."""
        if self.normalise is not None:
            images = self.normalise(images)
        joined = self.branches[0](images)  # (B, C, H / 8, W / 8)
        if len(self.branches) > 1:
            joined = torch.cat((joined, self.branches[1](self.halve(images))), dim=1)
        pafs: tuple[Tensor, ...] = ()
        features = joined
        for number, detection_pass in enumerate(self.passes):
            features = detection_pass(torch.cat((features, joined), dim=1) if number else joined)
            if number == 0 and self.paf_prediction is not None:
                pafs = (self.paf_prediction(features),)
        heatmaps = self.prediction(features)
        if self.ending is not None:
            heatmaps = self.ending(heatmaps)
        return (heatmaps, *pafs)


def deploy(network: TopdownPoseEstimator, options: ExportOptions) -> DeployedNetwork:
    """Fold a pose estimator into a network that computes the same.

    Args:
        network: An EfficientPose with weights, on the CPU, in evaluation mode; not changed.
        options: What to export.

    Raises:
        ValueError: If it is no EfficientPose, has a part that cannot be folded, or lacks an output of the options.
    """
    head = network.head
    if network.training or not isinstance(head, EfficientPoseHead) or head.decoder is None:
        raise ValueError("only an EfficientPose with a decoder, in evaluation mode, can be exported")
    if head.hands_on_maps or not isinstance(network.backbone, DualEfficientNet):
        parts = f"{type(network.backbone).__name__} with {type(head.passes[0]).__name__}"
        raise ValueError(f"only EfficientPose's layers can be folded, got {parts}: trace the network itself")
    _check_outputs(head, options)
    width, height = head.decoder.input_size
    backbone = network.backbone
    with torch.no_grad():
        sizes = measure_inputs(backbone, torch.zeros(1, 3, height, width))
        branches = [fold_branch(branch.layers, sizes) for branch in backbone.branches]
        shift = _fold_normalisation(network, branches, options)
        return DeployedNetwork(
            shift=shift,
            branches=branches,
            passes=[fold_pass(each) for each in head.passes],
            paf_prediction=fold_prediction(head.passes[0].predict) if options.pafs else None,
            prediction=fold_prediction(head.passes[-1].predict),
            ending=_build_ending(head, (width, height), options),
            input_size=(width, height),
        ).eval()


def _check_outputs(head: EfficientPoseHead, options: ExportOptions) -> None:
    if options.pafs and (head.paf_pass is None or not head.paf_pass.predict.weight.any()):
        raise ValueError("this network has no part affinity fields, or no weights for them")
    if options.outputs == "full" and head.upsampler is None:
        raise ValueError('this network does not upsample its heatmaps: export "heatmaps"')
    if options.outputs == "full" or not isinstance(head.upsampler, TransposedConvUpsampler):
        return
    for stage in cast("Iterable[nn.ConvTranspose2d]", head.upsampler.stages):
        channels = range(len(stage.weight))
        bilinear = torch.zeros_like(stage.weight)
        bilinear[channels, channels] = bilinear_kernel()
        if cast("Tensor", stage.bias).any() or not torch.equal(stage.weight, bilinear):
            raise ValueError('this network has learnt its upsampling: only the outputs "full" can be exported')


def _build_ending(head: EfficientPoseHead, input_size: tuple[int, int], options: ExportOptions) -> nn.Module | None:
    """Return the layer from the heatmaps at stride 8 to those that are exported; None where they are the same."""
    if options.layout == "rtmlib":
        columns, rows = (resampling_matrix(side) for side in input_size)
        return Resampling(rows, columns.T.contiguous())
    if options.outputs == "heatmaps" or head.upsampler is None:
        return None
    return fold_upsampler(head.upsampler, num_maps=head.passes[-1].predict.out_channels)


def _fold_normalisation(
    network: TopdownPoseEstimator, branches: list[nn.Sequential], options: ExportOptions
) -> Tensor | None:
    """Fold the scale of the normalisation into the stems; return the shift (3,) that remains, None without one.

    rtmlib's input is blue, green, red, normalised with numbers meant for red, green, blue.
    """
    mean, std = read_normalisation(network)
    if options.layout == "rtmlib":
        given_mean, given_std = torch.tensor(RTMLIB_MEAN).double(), torch.tensor(RTMLIB_STD).double()
        order = torch.tensor((2, 1, 0))
        shift, scale = (given_mean - mean[order]) / given_std, given_std / std[order]
    elif options.normalise_inside:
        order = torch.tensor((0, 1, 2))
        shift, scale = -mean, 1 / std
    else:
        return None
    for branch in branches:
        stem = next(layer for layer in branch.modules() if isinstance(layer, PaddedConv2d))
        stem.weight.copy_((stem.weight[:, order].double() * scale.reshape(-1, 1, 1)).float())
    return shift.float()


def read_normalisation(network: TopdownPoseEstimator) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of red, green and blue, (3,) float64.

    Raises ValueError if the network does not take normalised RGB.
    """
    preprocessor = network.data_preprocessor
    mean, std = getattr(preprocessor, "mean", None), getattr(preprocessor, "std", None)
    if mean is None or std is None or mean.numel() != 3 or not getattr(preprocessor, "_channel_conversion", False):
        raise ValueError("the config's data_preprocessor must have bgr_to_rgb=True and mean and std of three channels")
    return mean.flatten().double(), std.flatten().double()
