"""Peaks of heatmaps that a network has upsampled to the input's resolution itself."""

import cv2
import numpy as np

from efficientpose.runtime.peaks import Peaks
from efficientpose.runtime.peaks_refinement import find_dense_offset, make_refined_axis

CELL = 8
"""Pixels of the map to a cell of what the network has upsampled."""


class FullMapPeakFinder:
    """Blurs each map as the released decoder does and takes the highest pixel; made once for maps of one shape.

    Args:
        map_shape: (H, W) of the heatmaps, pixels.
        blur_sigma: Standard deviation of the blur, pixels; 0 for none.
        subpixel: As for :class:`~efficientpose.runtime.peaks.SparsePeakFinder`.
    """

    def __init__(self, map_shape: tuple[int, int], *, blur_sigma: float, subpixel: bool = False) -> None:
        self._y, self._x = (make_refined_axis(side, spacing=CELL, blur_sigma=blur_sigma) for side in map_shape)
        self._subpixel = subpixel
        self._sigma = blur_sigma
        self._side = 2 * int(4 * blur_sigma + 0.5) + 1

    def find(self, heatmaps: np.ndarray) -> Peaks:
        """Find each map's peak.

        Args:
            heatmaps: (B, K, H, W) float32, of the finder's shape; not changed.

        Returns:
            keypoints: (B, K, 2) in the input frame.
            scores: (B, K), the map itself at the place of the peak.
        """
        num_people, num_keypoints, height, width = heatmaps.shape
        flat = heatmaps.reshape(-1, height, width)
        blurred = np.stack([self._blur(heatmap) for heatmap in flat])
        pixels = blurred.reshape(len(flat), -1).argmax(axis=1)
        rows, columns = np.divmod(pixels, width)
        scores = flat[np.arange(len(flat)), rows, columns]
        keypoints = np.stack((columns, rows), axis=1).astype(np.float64)
        if self._subpixel:
            peaks = zip(flat, blurred, zip(rows, columns, strict=True), strict=True)
            keypoints += [find_dense_offset(*peak, self._y, self._x) for peak in peaks]
        return Peaks(
            keypoints=keypoints.reshape(num_people, num_keypoints, 2).astype(np.float32),
            scores=scores.reshape(num_people, num_keypoints),
        )

    def _blur(self, heatmap: np.ndarray) -> np.ndarray:
        if self._sigma == 0:
            return heatmap
        return cv2.GaussianBlur(heatmap, (self._side, self._side), self._sigma, borderType=cv2.BORDER_REFLECT)
