"""Training targets drawn on the device: Gaussian heatmaps (Groos et al. 2020, Eq. 4) and part affinity fields.

Frames: keypoints are (x, y) pixel-centre indices of the network input. Cell j of a map with stride s is centred on
input index s · j + (s - 1) / 2, which is j itself at full resolution and 8j + 3.5 at stride 8. Widths are in input
pixels. Scenes (Cao et al. 2017, 3.1 and 3.3) have P places for people; an empty place has no label and a bounding box
without area.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class SeparableMaps(NamedTuple):
    """Heatmaps as outer products of a column and a row each, as those of a Gaussian are."""

    columns: Tensor  # (B, K, height)
    rows: Tensor  # (B, K, width)

    def multiply(self) -> Tensor:
        """Return the heatmaps, (B, K, height, width)."""
        return self.columns.unsqueeze(-1) * self.rows.unsqueeze(-2)


class Targets(NamedTuple):
    """What the network should output for a batch, and the weight of each channel."""

    heatmaps: Tensor  # (B, K, h / 8, w / 8)
    full_heatmaps: Tensor | None  # (B, K, h, w); None if not asked for, or asked for as columns and rows
    pafs: Tensor | None  # (B, 2L, h / 8, w / 8); None if not asked for
    keypoint_weights: Tensor  # (B, K); of scenes (B, K, h / 8, w / 8)
    limb_weights: Tensor | None  # (B, L); None without ``pafs``; of scenes (B, L, h / 8, w / 8)
    heatmap_energy: float  # mean square of a typical heatmap
    paf_energy: float  # mean square of one component of a typical part affinity field
    separable_heatmaps: SeparableMaps | None = None  # what makes the full heatmaps; None if not asked for


def cell_centres(num_cells: int, *, stride: int, device: torch.device | None = None) -> Tensor:
    """Return the input pixel index of each cell's centre along one axis, (num_cells,)."""
    return torch.arange(num_cells, device=device, dtype=torch.float32) * stride + (stride - 1) / 2


def separate_heatmaps(keypoints: Tensor, *, map_shape: tuple[int, int], stride: int, sigma: float) -> SeparableMaps:
    """Return the columns and rows whose products :func:`render_heatmaps` draws; the arguments are the same."""
    height, width = map_shape
    x = cell_centres(width, stride=stride, device=keypoints.device)
    y = cell_centres(height, stride=stride, device=keypoints.device)
    return SeparableMaps(
        columns=torch.exp(-(((y - keypoints[..., 1:2]) / sigma) ** 2)),
        rows=torch.exp(-(((x - keypoints[..., 0:1]) / sigma) ** 2)),
    )


def render_heatmaps(keypoints: Tensor, *, map_shape: tuple[int, int], stride: int, sigma: float) -> Tensor:
    """Draw exp(-d² / sigma²) around finite keypoints (B, K, 2), as heatmaps (B, K, height, width) in [0, 1].

    d is the distance in input pixels (no factor 2, Eq. 4), ``map_shape`` (height, width), ``stride`` input pixels per
    cell, and ``sigma`` the width in input pixels.
    """
    return separate_heatmaps(keypoints, map_shape=map_shape, stride=stride, sigma=sigma).multiply()


def render_pafs(
    keypoints: Tensor, limbs: Sequence[tuple[int, int]], *, map_shape: tuple[int, int], stride: int, half_width: float
) -> Tensor:
    """Draw each limb of finite keypoints (B, K, 2) as its unit vector on the cells beside it.

    A cell belongs to a limb if it projects between the two keypoints and lies at most ``half_width`` input pixels from
    the line. A limb shorter than a hundredth of a pixel has no direction and stays empty. ``limbs`` are L pairs
    (proximal, distal) of indices; the rest is as for :func:`render_heatmaps`. Returns (B, 2L, height, width): limb k
    has its x component in channel 2k and its y component in channel 2k + 1.
    """
    height, width = map_shape
    proximal = keypoints[:, [limb[0] for limb in limbs]]
    vectors = keypoints[:, [limb[1] for limb in limbs]] - proximal
    lengths = vectors.norm(dim=-1, keepdim=True)
    units = torch.where(lengths > 0.01, vectors / lengths.clamp(min=0.01), 0.0)

    columns = cell_centres(width, stride=stride, device=keypoints.device)
    rows = cell_centres(height, stride=stride, device=keypoints.device)
    from_x = (columns - proximal[..., 0:1]).unsqueeze(-2)  # (B, L, 1, width)
    from_y = (rows - proximal[..., 1:2]).unsqueeze(-1)  # (B, L, height, 1)
    unit_x, unit_y = units[..., 0, None, None], units[..., 1, None, None]
    along = from_x * unit_x + from_y * unit_y
    across = from_x * unit_y - from_y * unit_x
    inside = (along >= 0) & (along <= lengths.unsqueeze(-1)) & (across.abs() <= half_width)
    fields = units[..., None, None] * inside.unsqueeze(2)  # (B, L, 2, height, width)
    return fields.flatten(1, 2)


def check_sigma(name: str, sigma: float) -> None:
    """Raise ValueError for a sigma that is in cells, as MMPose's codecs have it, or none at all."""
    if not 0 < sigma < 1:
        raise ValueError(
            f"{name} must be positive and below 1, a fraction of the input's longer side (0.05 as released), got "
            f"{sigma}; the width of MMPose's sigma in cells is sigma * sqrt(2) * stride / side"
        )


def weights_of_labels(visible: np.ndarray) -> np.ndarray:
    """Return the weight of each keypoint (P, K): 0 where it is not labelled, else 1 or the weight that it brings.

    ``visible`` is MMPose's ``keypoints_visible``: (P, K), nonzero where labelled, or (P, K, 2) with a second column of
    weights, as ``KeypointConverter`` makes it.
    """
    columns = np.atleast_3d(visible)
    labelled = (columns[..., 0] > 0).astype(np.float32)
    return labelled * columns[..., 1].astype(np.float32) if columns.shape[2] > 1 else labelled


def keypoint_weights(keypoints: Tensor, labelled: Tensor, *, input_size: tuple[int, int]) -> Tensor:
    """Return the weights ``labelled`` (B, K) of keypoints (B, K, 2) inside the input (width, height), 0.0 elsewhere.

    Keypoints of weight 0 may hold anything, also NaN.
    """
    width, height = input_size
    x, y = keypoints[..., 0], keypoints[..., 1]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    return (labelled * inside).float()


def limb_weights(labelled: Tensor, limbs: Sequence[tuple[int, int]]) -> Tensor:
    """Return 1.0 for limbs (B, L) whose two keypoints are both labelled (B, K), inside the input or not, else 0.0.

    Otherwise the limb's direction is unknown, and its field carries no loss.
    """
    both = (labelled[:, [limb[0] for limb in limbs]] > 0) & (labelled[:, [limb[1] for limb in limbs]] > 0)
    return both.float()


def render_scene_heatmaps(
    keypoints: Tensor, labelled: Tensor, *, map_shape: tuple[int, int], stride: int, sigma: float
) -> Tensor:
    """Draw the heatmaps (B, K, height, width) of several people; where two meet, the higher value stays.

    Keypoints (B, P, K, 2) count where ``labelled`` (B, P, K) is nonzero; the rest is as for :func:`render_heatmaps`.
    """
    is_labelled = labelled > 0
    points = torch.where(is_labelled.unsqueeze(-1), keypoints, 0.0).flatten(0, 1)
    drawn = render_heatmaps(points, map_shape=map_shape, stride=stride, sigma=sigma).unflatten(0, labelled.shape[:2])
    return (drawn * is_labelled[..., None, None]).amax(dim=1)


def render_scene_pafs(
    keypoints: Tensor,
    labelled: Tensor,
    limbs: Sequence[tuple[int, int]],
    *,
    map_shape: tuple[int, int],
    stride: int,
    half_width: float,
) -> Tensor:
    """Draw the limbs of several people, (B, 2L, height, width); where limbs of several meet, a cell has their mean.

    Limbs of keypoints (B, P, K, 2) are drawn where ``labelled`` (B, P, K) is nonzero for both ends; the rest is as for
    :func:`render_pafs`.
    """
    places = labelled.shape[:2]
    points = torch.where((labelled > 0).unsqueeze(-1), keypoints, 0.0).flatten(0, 1)
    fields = render_pafs(points, limbs, map_shape=map_shape, stride=stride, half_width=half_width)
    is_drawn = limb_weights(labelled.flatten(0, 1), limbs)
    vectors = fields.unflatten(1, (-1, 2)) * is_drawn[..., None, None, None]
    vectors = vectors.unflatten(0, places)  # (B, P, L, 2, height, width)
    count = (vectors != 0).any(dim=3).sum(dim=1).clamp(min=1)
    return (vectors.sum(dim=1) / count.unsqueeze(2)).flatten(1, 2)


def known_cells(known: Tensor, boxes: Tensor, *, map_shape: tuple[int, int], stride: int) -> Tensor:
    """Return 1.0 on cells (B, C, height, width) with known ground truth, 0.0 inside the box of an unlabelled person.

    ``known`` (B, P, C) is nonzero where a person's keypoint or limb is labelled. Boxes (B, P, 4) are x1, y1, x2, y2 in
    input pixels; one without area hides nothing.
    """
    columns = cell_centres(map_shape[1], stride=stride, device=boxes.device)
    rows = cell_centres(map_shape[0], stride=stride, device=boxes.device)
    in_columns = (columns > boxes[..., 0:1]) & (columns < boxes[..., 2:3])
    in_rows = (rows > boxes[..., 1:2]) & (rows < boxes[..., 3:4])
    inside = in_rows.unsqueeze(-1) & in_columns.unsqueeze(-2)  # (B, P, height, width)
    hidden = (known == 0)[..., None, None] & inside.unsqueeze(2)
    return (~hidden.any(dim=1)).float()
