"""Crops: from a person's bounding box to the network's input, and from keypoints in the input back to the image.

The whole way of one person, in training, in testing with MMPose and with an exported file:

1. **Box to region.** A bounding box x1, y1, x2, y2 in image pixels grows by 1.25 about its centre and to the input's
   aspect ratio (:func:`find_region`; in MMPose ``PersonCenterScale``). A box that is the whole image does not grow: the
   image is letterboxed, as in the released code.
2. **Region to crop.** An affine transform maps pixel-centre indices of the image linearly to those of the crop, without
   half-pixel offset, as MMPose's ``TopdownAffine`` does, and samples bilinearly. A crop that shrinks the image is
   antialiased first, and its region moves so that the areas of pixels lie over one another (:func:`antialias`; in
   MMPose ``AntialiasedAffine``). Crops are (H, W, 3) uint8 BGR, black outside the image.
3. **Crop to batch.** Channels in RGB order, then (value − mean) / std, with ImageNet's mean and std, or 127.5 for both
   in Lite variants. MMPose's ``PoseDataPreprocessor`` does it on the device. With an exported file ``CropEncoder``
   does it, to the bit, or the network itself; the file's metadata says which, and mean, std and layout.
4. **Heatmaps to keypoints.** :mod:`efficientpose.core.decoding` returns pixel-centre indices of the input: cell j at
   stride 8 is centred on 8j + 3.5, a pixel of an upsampled heatmap lies on the same pixel of the input.
5. **Keypoints to image.** :func:`to_image` inverts step 2, again in pixel-centre indices of the image.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

MIN_REST: Final = 2.0  # least pixels per crop pixel after blocks were averaged; the rest of the filter is Gaussian
TRUNCATE: Final = 3.0  # standard deviations at which the Gaussian ends: 0.3 % of it are beyond


class Smoothed(NamedTuple):
    """A smoothed part of an image; point x of the image is at (x − offset + 0.5) / block − 0.5 of it."""

    image: np.ndarray  # (h, w, 3) uint8
    offset: np.ndarray  # (2,) x and y of its first pixel, in image pixels
    block: int  # side of the blocks of image pixels that became one pixel

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Return where points (..., 2) of the image are, in pixel-centre indices."""
        moved: np.ndarray = (points - self.offset + 0.5) / self.block - 0.5
        return moved


def smooth(image: np.ndarray, *, corners: np.ndarray, factor: float) -> Smoothed:
    """Blur a part of an image so that every factor-th pixel of it can be sampled.

    Args:
        image: (H, W, 3) uint8.
        corners: (2, 2) x and y of two opposite corners of the part; it may reach beyond the image.
        factor: Image pixels per sampled pixel; up to 1 nothing is blurred.
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
    if block > 1:  # the first block's centre lies inside the image, whose border must not fade
        blurred = cv2.copyMakeBorder(blurred, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        first = first - block
    return Smoothed(blurred, first.astype(float), block)


PERSON_PADDING: Final = 1.25  # side of the region per side of a person's bounding box


def find_padding(box: np.ndarray, *, image_size: tuple[int, int], padding: float = PERSON_PADDING) -> float:
    """Return how much a box (4,) grows: by the padding, or not at all if it is the whole image."""
    return 1.0 if np.array_equal(box, (0, 0, *image_size)) else padding


class Region(NamedTuple):
    """The part of an image that a crop shows, of the input's aspect ratio."""

    centre: np.ndarray  # (2,) float32 x and y in image pixels
    size: np.ndarray  # (2,) float32 width and height in image pixels

    def factor(self, input_size: tuple[int, int]) -> float:
        """Return the image pixels per pixel of the input."""
        return float(self.size[0] / input_size[0])

    def aligned(self, input_size: tuple[int, int]) -> "Region":
        """Return the region moved so that a crop that shrinks samples the centres of its pixels' areas.

        Index i of a crop is sampled at i · f from the region's corner, f being :meth:`factor`. The centre of its area
        is at (i + 0.5) · f − 0.5, so the region moves by (f − 1) / 2.
        """
        offset = max(0.0, (self.factor(input_size) - 1) / 2)
        return self._replace(centre=self.centre + np.float32(offset))


def find_region(box: np.ndarray, *, image_size: tuple[int, int], input_size: tuple[int, int]) -> Region:
    """Return the region around a person's box (4,) float32 x1, y1, x2, y2 in image pixels; sizes (width, height)."""
    centre = (box[2:] + box[:2]) * 0.5
    width, height = (box[2:] - box[:2]) * find_padding(box, image_size=image_size)
    aspect_ratio = np.float32(input_size[0] / input_size[1])  # MMPose computes in float32
    size = (width, width / aspect_ratio) if width > height * aspect_ratio else (height * aspect_ratio, height)
    return Region(centre=centre, size=np.array(size, np.float32)).aligned(input_size)


def antialias(
    image: np.ndarray, region: Region, *, input_size: tuple[int, int], degrees: float = 0.0
) -> tuple[Smoothed, Region]:
    """Return the smoothed part of an image (H, W, 3) uint8 that a region shows, and the region in it.

    ``degrees`` is the rotation of the region about its centre.
    """
    along, across = np.abs((np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))))
    reach = np.array(((along, across), (across, along))) @ region.size / 2  # of the rotated rectangle, in x and y
    corners = np.stack((region.centre - reach, region.centre + reach))
    smoothed = smooth(image, corners=corners, factor=region.factor(input_size))
    centre = smoothed.locate(region.centre).astype(np.float32)
    return smoothed, Region(centre=centre, size=region.size / np.float32(smoothed.block))


def cut_crop(image: np.ndarray, region: Region, *, input_size: tuple[int, int]) -> np.ndarray:
    """Return a region's crop (input height, input width, 3) uint8, antialiased; black outside the image (H, W, 3)."""
    smoothed, region = antialias(image, region, input_size=input_size)
    half = np.float32(region.size[0] * 0.5)
    centre, target = region.centre, np.array(input_size, np.float32) * 0.5
    # MMPose's three points, rounded to float32 as there: centre, middle of the left side, corner of the square below.
    offsets = np.array([[0, 0], [-1, 0], [-1, 1]], np.float32)
    matrix = cv2.getAffineTransform(centre + offsets * half, target + offsets * target[0])
    return cv2.warpAffine(smoothed.image, matrix, input_size, flags=cv2.INTER_LINEAR)


def to_image(keypoints: np.ndarray, regions: list[Region], *, input_size: tuple[int, int]) -> np.ndarray:
    """Return keypoints (B, K, 2), in input pixels of B regions' crops, in the image's pixel-centre indices, float32."""
    sizes = np.stack([region.size for region in regions])[:, None]
    centres = np.stack([region.centre for region in regions])[:, None]
    moved: np.ndarray = keypoints / np.array(input_size) * sizes + centres - 0.5 * sizes
    return moved.astype(np.float32)
