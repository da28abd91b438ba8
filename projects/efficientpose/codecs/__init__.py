"""Training targets and decoding."""

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap

__all__ = ["FullResolutionHeatmap"]
