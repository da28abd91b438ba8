"""Peaks of heatmaps that a network has upsampled to the input's resolution itself."""

import cv2
import numpy as np

from efficientpose.runtime.peaks import Peaks


class FullMapPeakFinder:
    """Blurs each map as the released decoder does and takes the highest pixel.

    Args:
        blur_sigma: Standard deviation of the blur, pixels; 0 for none.
    """

    def __init__(self, *, blur_sigma: float) -> None:
        self._sigma = blur_sigma
        self._side = 2 * int(4 * blur_sigma + 0.5) + 1

    def find(self, heatmaps: np.ndarray) -> Peaks:
        """Find each map's peak.

        Args:
            heatmaps: (B, K, H, W) float32; not changed.

        Returns:
            keypoints: (B, K, 2) in the input frame.
            scores: (B, K), the map itself at the place of the peak.
        """
        num_people, num_keypoints, height, width = heatmaps.shape
        flat = heatmaps.reshape(-1, height, width)
        blurred = np.stack([self._blur(heatmap) for heatmap in flat]).reshape(len(flat), -1)
        pixels = blurred.argmax(axis=1)
        rows, columns = np.divmod(pixels, width)
        scores = flat[np.arange(len(flat)), rows, columns]
        return Peaks(
            keypoints=np.stack((columns, rows), axis=1).reshape(num_people, num_keypoints, 2).astype(np.float32),
            scores=scores.reshape(num_people, num_keypoints),
        )

    def _blur(self, heatmap: np.ndarray) -> np.ndarray:
        if self._sigma == 0:
            return heatmap
        return cv2.GaussianBlur(heatmap, (self._side, self._side), self._sigma, borderType=cv2.BORDER_REFLECT)
