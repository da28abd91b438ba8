"""Shrink pictures without aliases: what is finer than the network's pixels is blurred away before it is sampled.

The filter is scikit-image's for ``rescale``, and with it the released pipeline's: a Gaussian of sigma (f − 1) / 2
where a crop's pixel spans f of the picture's. For large f most of it is had by averaging blocks, which costs far less;
the blocks' own spread counts.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

MIN_REST: Final = 2.0
"""Pixels that a crop's pixel still spans, at least, after blocks were averaged; the rest of the filter is Gaussian."""

TRUNCATE: Final = 3.0
"""Standard deviations at which the Gaussian ends: 0.3 % of it are beyond, less than rounding to pixels costs."""


class Smoothed(NamedTuple):
    """A part of a picture without details that a crop cannot hold.

    A point at x of the picture is at (x − offset + 0.5) / block − 0.5 of it.

    Attributes:
        image: (h, w, 3) uint8.
        offset: (2,) x and y of its first pixel, in the picture's pixels.
        block: Side of the picture's blocks that became a pixel.
    """

    image: np.ndarray
    offset: np.ndarray
    block: int

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Return where points (..., 2) of the picture are, in pixel-centre indices."""
        moved: np.ndarray = (points - self.offset + 0.5) / self.block - 0.5
        return moved


def smooth(image: np.ndarray, *, corners: np.ndarray, factor: float) -> Smoothed:
    """Blur a part of a picture so that every factor-th pixel of it can be taken.

    Args:
        image: (H, W, 3) uint8.
        corners: (2, 2) x and y of two opposite corners of the part that is sampled; it may reach beyond the picture.
        factor: Pixels of the picture per pixel sampled; up to 1 nothing is blurred.
    """
    if factor <= 1:
        return Smoothed(image, np.zeros(2), 1)
    block = max(1, int(factor / MIN_REST))
    sigma = (factor - 1) / 2
    height, width = image.shape[:2]
    margin = TRUNCATE * sigma + block + 1
    first = np.clip(np.floor(corners.min(axis=0) - margin), 0, (width - 1, height - 1)).astype(int)
    last = np.clip(np.ceil(corners.max(axis=0) + margin), first + 1, (width, height)).astype(int)
    part = image[first[1] : last[1], first[0] : last[0]]
    if block > 1:
        right, below = (int(-length % block) for length in part.shape[1::-1])
        if right or below:
            part = cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE)
        blocks = (part.shape[1] // block, part.shape[0] // block)
        part = cv2.resize(part, blocks, interpolation=cv2.INTER_AREA)
    rest = np.sqrt(sigma**2 - (block**2 - 1) / 12) / block  # a mean over n pixels has the variance (n² − 1) / 12
    radius = int(TRUNCATE * rest + 0.5)
    side = 2 * radius + 1
    blurred = cv2.GaussianBlur(part, (side, side), rest, borderType=cv2.BORDER_REFLECT_101)
    if block > 1:  # the first block's middle lies inside the picture, whose pixels must not fade towards the outside
        blurred = cv2.copyMakeBorder(blurred, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        first = first - block
    return Smoothed(blurred, first.astype(float), block)
