"""Multi-scale testing, as for the paper's final figures: heatmaps of crops of several sizes, averaged in one frame.

A frame is a crop's pixel-centre indices. TopdownAffine places index q of a crop of ``input_size`` at the image's
q / input_size · input_scale + input_center − input_scale / 2, and cell j of a heatmap of stride s is centred on index
s · j + (s − 1) / 2.
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.structures import PixelData
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from efficientpose.models.head import EfficientPoseHead


@MODELS.register_module()
class MultiScaleTester(BaseTTAModel):
    """Wraps a pose estimator whose pipeline gives several crops of each person; heatmaps are averaged, then decoded.

    Keypoints are found in the frame of the first crop. Every other crop counts where it overlaps it. Crops may differ
    in centre and size, not in rotation. Each is averaged with its mirrored self first if the estimator's own
    ``test_cfg.flip_test`` is set. With ``test_cfg.output_heatmaps`` the averaged heatmaps are returned as well.

    Args:
        module: The estimator, built or in MMPose's form; its ``test_cfg`` is changed.
        data_preprocessor: Takes the place of the estimator's, if that is in MMPose's form.

    Raises:
        ValueError: If it is no top-down estimator with an :class:`EfficientPoseHead`, or picks output keypoints.
    """

    def __init__(self, module: dict | nn.Module, data_preprocessor: dict | nn.Module | None = None) -> None:
        super().__init__(module, data_preprocessor)
        estimator, head = self.estimator, getattr(self.estimator, "head", None)
        # Other heads' decoders place their cells elsewhere.
        if not (isinstance(estimator, TopdownPoseEstimator) and isinstance(head, EfficientPoseHead)):
            raise ValueError(
                "multi-scale testing needs a TopdownPoseEstimator with an EfficientPoseHead, got "
                f"{type(estimator).__name__} with {type(head).__name__}"
            )
        if estimator.test_cfg.get("output_keypoint_indices") is not None:
            raise ValueError("multi-scale testing outputs all keypoints: leave test_cfg.output_keypoint_indices out")
        self.output_heatmaps = bool(estimator.test_cfg.get("output_heatmaps", False))
        estimator.test_cfg["output_heatmaps"] = True

    @property
    def estimator(self) -> TopdownPoseEstimator:
        """The wrapped estimator itself, also where it is distributed."""
        return self.module.module if is_model_wrapper(self.module) else self.module

    def merge_preds(self, data_samples_list: Sequence[Sequence[PoseDataSample]]) -> list[PoseDataSample]:
        """Return each person's first sample with the keypoints of the averaged heatmaps (MMEngine's contract).

        Each entry has one person's samples, one a crop, with ``pred_fields.heatmaps`` (K, h, w).
        """
        heatmaps = torch.stack([average_heatmaps(samples) for samples in data_samples_list])
        merged = self.estimator.add_pred_to_datasample(
            self.estimator.head.decode(heatmaps), None, [samples[0] for samples in data_samples_list]
        )
        for sample, averaged in zip(merged, heatmaps, strict=True):
            if self.output_heatmaps:
                sample.pred_fields = PixelData(heatmaps=averaged)
            else:
                del sample.pred_fields
        return merged


def average_heatmaps(samples: Sequence[PoseDataSample]) -> Tensor:
    """Average one person's heatmaps in the first crop's frame, each where its crop overlaps it.

    Each crop's sample has ``pred_fields.heatmaps`` (K, h, w) and the crop's place as TopdownAffine leaves it.
    """
    first, *others = samples
    total = first.pred_fields.heatmaps.float()
    height, width = total.shape[-2:]
    count = total.new_ones(height, width)
    for other in others:
        heatmaps = other.pred_fields.heatmaps.float()  # (K, h', w')
        num_rows, num_columns = heatmaps.shape[-2:]
        columns = find_cells(first, other, axis=0, num_cells=width, num_other_cells=num_columns)  # (w,)
        rows = find_cells(first, other, axis=1, num_cells=height, num_other_cells=num_rows)  # (h,)
        covered = torch.from_numpy(np.outer(is_inside(rows, num_rows), is_inside(columns, num_columns))).to(total)
        total = total + covered * sample_bilinear(heatmaps, rows=rows, columns=columns)
        count = count + covered
    return total / count


def find_cells(
    sample: PoseDataSample, other: PoseDataSample, *, axis: int, num_cells: int, num_other_cells: int
) -> NDArray[np.float64]:
    """Return where the cells of one crop's heatmap lie on another crop's, in fractions of cells, (num_cells,).

    ``axis`` is 0 for columns, 1 for rows.
    """
    fields = ("input_size", "input_scale", "input_center")
    size, scale, centre = (float(sample.metainfo[field][axis]) for field in fields)
    other_size, other_scale, other_centre = (float(other.metainfo[field][axis]) for field in fields)
    stride, other_stride = size / num_cells, other_size / num_other_cells
    index = stride * np.arange(num_cells) + (stride - 1) / 2
    in_image = index / size * scale + centre - scale / 2
    other_index = (in_image - other_centre + other_scale / 2) / other_scale * other_size
    return (other_index - (other_stride - 1) / 2) / other_stride


def is_inside(cells: NDArray[np.float64], num_cells: int) -> NDArray[np.bool_]:
    """Return which places lie on a heatmap, whose border is half a cell beyond its outer cells' centres."""
    return (cells >= -0.5) & (cells <= num_cells - 0.5)


def sample_bilinear(heatmaps: Tensor, *, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Tensor:
    """Sample heatmaps (K, h, w) at rows (m,) and columns (n,) of cells; return (K, m, n), outside the nearest cell."""
    height, width = heatmaps.shape[-2:]
    # Without aligned corners, grid_sample's −1 and 1 are the outer edges of the border cells.
    y = torch.from_numpy((2 * rows + 1) / height - 1).to(heatmaps)
    x = torch.from_numpy((2 * columns + 1) / width - 1).to(heatmaps)
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)  # (m, n, 2): x, y
    return F.grid_sample(heatmaps[None], grid[None], padding_mode="border", align_corners=False)[0]
