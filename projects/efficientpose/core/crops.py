"""From a person's box to the network's input, and from the input back to the picture.

The geometry is the one of training and testing with MMPose (``PersonCenterScale`` and ``TopdownAffine`` in the
configs): the same region, the same affine matrix, the same interpolation, to the bit where a crop is no smaller than
what it shows. Where it is smaller, the picture is shrunk as the released pipeline does it: without aliases, and so that
the areas of pixels lie over one another and not the centres of the first ones.
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


PERSON_PADDING = 1.25
"""Side of the region per side of a person's box; a box that is the whole image gets none."""


class Region(NamedTuple):
    """What of a picture the network sees.

    Attributes:
        centre: (2,) float32 x and y in image pixels.
        size: (2,) float32 width and height in image pixels; its shape is that of the network's input.
    """

    centre: np.ndarray
    size: np.ndarray

    def factor(self, input_size: tuple[int, int]) -> float:
        """Return how many of the picture's pixels a pixel of the input spans."""
        return float(self.size[0] / input_size[0])

    def aligned(self, input_size: tuple[int, int]) -> "Region":
        """Return the region whose samples lie in the middle of the pixels' areas, where a crop shrinks it.

        Index i of a crop is sampled at i · f from the region's corner, f being :meth:`factor`. The middle of its area
        is at (i + 0.5) · f − 0.5, so the region moves by (f − 1) / 2.
        """
        offset = max(0.0, (self.factor(input_size) - 1) / 2)
        return self._replace(centre=self.centre + np.float32(offset))


def find_region(box: np.ndarray, *, image_size: tuple[int, int], input_size: tuple[int, int]) -> Region:
    """Return the region around a person's box.

    Args:
        box: (4,) float32 x1, y1, x2, y2 in image pixels.
        image_size: (width, height) of the picture.
        input_size: (width, height) of the network's input.
    """
    padding = 1.0 if np.array_equal(box, (0, 0, *image_size)) else PERSON_PADDING
    centre = (box[2:] + box[:2]) * 0.5
    width, height = (box[2:] - box[:2]) * padding
    aspect_ratio = np.float32(input_size[0] / input_size[1])  # MMPose computes in float32
    size = (width, width / aspect_ratio) if width > height * aspect_ratio else (height * aspect_ratio, height)
    region = Region(centre=centre, size=np.array(size, np.float32))
    return region.aligned(input_size)


def cut_crop(image: np.ndarray, region: Region, *, input_size: tuple[int, int]) -> np.ndarray:
    """Return a region of a picture at the network's resolution, without aliases; outside the picture it is black.

    Args:
        image: (H, W, 3) uint8.
        region: What to cut.
        input_size: (width, height) of the network's input.

    Returns:
        (input height, input width, 3) uint8.
    """
    corners = np.stack((region.centre - region.size / 2, region.centre + region.size / 2))
    smoothed = smooth(image, corners=corners, factor=region.factor(input_size))
    if smoothed.block > 1 or smoothed.offset.any():
        centre = smoothed.locate(region.centre).astype(np.float32)
        region = Region(centre=centre, size=region.size / np.float32(smoothed.block))
    half = np.float32(region.size[0] * 0.5)
    centre, target = region.centre, np.array(input_size, np.float32) * 0.5
    # Three points as MMPose takes them, rounded to float32 as there: centre, middle of the left side, and the corner
    # of the square below.
    offsets = np.array([[0, 0], [-1, 0], [-1, 1]], np.float32)
    matrix = cv2.getAffineTransform(centre + offsets * half, target + offsets * target[0])
    return cv2.warpAffine(smoothed.image, matrix, input_size, flags=cv2.INTER_LINEAR)


def to_image(keypoints: np.ndarray, regions: list[Region], *, input_size: tuple[int, int]) -> np.ndarray:
    """Return keypoints in the picture's pixel-centre indices.

    Args:
        keypoints: (B, K, 2) in input pixels.
        regions: B of them.
        input_size: (width, height) of the network's input.
    """
    sizes = np.stack([region.size for region in regions])[:, None]
    centres = np.stack([region.centre for region in regions])[:, None]
    moved: np.ndarray = keypoints / np.array(input_size) * sizes + centres - 0.5 * sizes
    return moved.astype(np.float32)
