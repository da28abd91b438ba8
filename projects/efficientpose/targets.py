"""What a network should output: the maps that a codec draws and a head learns from."""

from typing import NamedTuple

from torch import Tensor


class SeparableMaps(NamedTuple):
    """Maps that are outer products of a column and a row each, as those of a Gaussian are.

    Attributes:
        columns: (B, K, height).
        rows: (B, K, width).
    """

    columns: Tensor
    rows: Tensor

    def multiply(self) -> Tensor:
        """Return the maps, (B, K, height, width)."""
        return self.columns.unsqueeze(-1) * self.rows.unsqueeze(-2)


class Targets(NamedTuple):
    """What the network should output for a batch, and how much each map counts.

    Attributes:
        heatmaps: (B, K, h / 8, w / 8).
        full_heatmaps: (B, K, h, w); None if not asked for, or asked for as columns and rows.
        pafs: (B, 2L, h / 8, w / 8); None if not asked for.
        keypoint_weights: (B, K); of scenes (B, K, h / 8, w / 8).
        limb_weights: (B, L); None without ``pafs``; of scenes (B, L, h / 8, w / 8).
        heatmap_energy: Mean square of a typical heatmap.
        paf_energy: Mean square of one component of a typical part affinity field.
        separable_heatmaps: Columns and rows that make the full heatmaps; None if not asked for.
    """

    heatmaps: Tensor
    full_heatmaps: Tensor | None
    pafs: Tensor | None
    keypoint_weights: Tensor
    limb_weights: Tensor | None
    heatmap_energy: float
    paf_energy: float
    separable_heatmaps: SeparableMaps | None = None
