"""From a person's box to the network's input, and from the input back to the picture.

The geometry is the one of training and testing with MMPose (``PersonCenterScale`` and ``TopdownAffine`` in the
configs): the same region, the same affine matrix, the same interpolation, to the bit where a crop is no smaller than
what it shows. Where it is smaller, the picture is shrunk as the released pipeline does it: without aliases, and so that
the areas of pixels lie over one another and not the centres of the first ones.
"""

from typing import NamedTuple

import cv2
import numpy as np

from efficientpose.runtime.antialias import smooth
from efficientpose.runtime.metadata import ModelMetadata

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


class CropEncoder:
    """Turns crops into the batch that a network takes: channels in RGB order, normalised, in its layout.

    A table of the 256 values does all arithmetic in one pass; it gives the very bits of (value − mean) / std.

    Args:
        metadata: What the model file says.
        dtype: What the network takes; uint8 takes pixels as they are.
    """

    def __init__(self, metadata: ModelMetadata, *, dtype: np.dtype) -> None:
        values = np.arange(256, dtype=np.float32)
        if metadata.mean is None or metadata.std is None:
            tables = [values] * 3
        else:
            spread = zip(metadata.mean, metadata.std, strict=True)
            tables = [(values - np.float32(mean)) / np.float32(std) for mean, std in spread]
        self._tables = [table.astype(dtype) for table in tables]
        self._dtype = dtype
        self._layout = metadata.input_layout

    def encode(self, crops: list[np.ndarray]) -> np.ndarray:
        """Return the batch.

        Args:
            crops: B times (H, W, 3) uint8, BGR.

        Returns:
            (B, 3, H, W) or (B, H, W, 3), as the network's layout is.
        """
        height, width = crops[0].shape[:2]
        if self._layout == "nhwc":
            table = np.stack(self._tables, axis=-1)[:, None]
            return np.stack([cv2.LUT(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), table) for crop in crops])
        batch = np.empty((len(crops), 3, height, width), self._dtype)
        for crop, encoded in zip(crops, batch, strict=True):
            for plane, table, target in zip(reversed(cv2.split(crop)), self._tables, encoded, strict=True):
                cv2.LUT(plane, table, dst=target)
        return batch
