"""Training targets of scenes: everybody's heatmaps and part affinity fields in one picture (Cao et al. 2017, 3.1, 3.3).

Frames and widths are those of :mod:`efficientpose.codecs.targets`. B scenes have P places for people; a place that is
empty has no label and a box without area.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from efficientpose.codecs.targets import cell_centres, limb_weights, render_heatmaps, render_pafs


def render_scene_heatmaps(
    keypoints: Tensor, labelled: Tensor, *, map_shape: tuple[int, int], stride: int, sigma: float
) -> Tensor:
    """Draw each keypoint of everybody; where two people's meet, the higher value stays, so that both keep their peak.

    Args:
        keypoints: (B, P, K, 2); unlabelled ones may hold anything.
        labelled: (B, P, K), nonzero where labelled.
        map_shape: (height, width) of the maps.
        stride: Input pixels per cell.
        sigma: Width in input pixels.

    Returns:
        (B, K, height, width) in [0, 1].
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
    """Draw everybody's limbs; a cell on which limbs of several people lie has their mean.

    Args:
        keypoints: (B, P, K, 2); unlabelled ones may hold anything.
        labelled: (B, P, K), nonzero where labelled; a limb is drawn if both its joints are.
        limbs: L pairs (proximal, distal) of keypoint indices.
        map_shape: (height, width) of the fields.
        stride: Input pixels per cell.
        half_width: Half the band's width in input pixels.

    Returns:
        (B, 2L, height, width), as :func:`~efficientpose.codecs.targets.render_pafs`.
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
    """Return 1.0 on cells where the truth is known, 0.0 inside the box of a person of whom it is not.

    Args:
        known: (B, P, C), nonzero where a person's keypoint or limb is labelled.
        boxes: (B, P, 4) x1, y1, x2, y2 in input pixels; one without area hides nothing.
        map_shape: (height, width) of the maps.
        stride: Input pixels per cell.

    Returns:
        (B, C, height, width).
    """
    columns = cell_centres(map_shape[1], stride=stride, device=boxes.device)
    rows = cell_centres(map_shape[0], stride=stride, device=boxes.device)
    in_columns = (columns > boxes[..., 0:1]) & (columns < boxes[..., 2:3])
    in_rows = (rows > boxes[..., 1:2]) & (rows < boxes[..., 3:4])
    inside = in_rows.unsqueeze(-1) & in_columns.unsqueeze(-2)  # (B, P, height, width)
    hidden = (known == 0)[..., None, None] & inside.unsqueeze(2)
    return (~hidden.any(dim=1)).float()
