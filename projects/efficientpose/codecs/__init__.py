"""Training targets and decoding."""

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap, Targets

__all__ = ["FullResolutionHeatmap", "Targets"]
