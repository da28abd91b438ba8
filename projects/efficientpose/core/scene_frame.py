"""A whole scene as the network's input, and back: its aspect kept, the rest black.

The geometry is that of MMPose's ``BottomupResize``: the picture's middle goes to the input's middle. A picture that
becomes smaller is freed of aliases first.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from efficientpose.core.crops import smooth

STRIDE = 8
"""Sides of an input are multiples of it."""


class SceneFrame(NamedTuple):
    """How a picture lies in the network's input.

    Attributes:
        image_size: (width, height) of the picture, pixels.
        input_size: (width, height) of the input, pixels.
        zoom: Input pixels per image pixel.
    """

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    zoom: float

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return points (..., 2) of the input in the picture's pixel-centre indices."""
        moved: NDArray[np.floating] = (points - np.array(self.input_size) / 2) / self.zoom + np.array(
            self.image_size
        ) / 2
        return moved

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Return the input, (input height, input width, 3) uint8, of a picture (H, W, 3) uint8, without aliases."""
        smoothed = smooth(image, corners=np.array([(0, 0), self.image_size]), factor=1 / self.zoom)
        zoom = self.zoom * smoothed.block
        matrix = np.array([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]])
        matrix[:, 2] = np.array(self.input_size) / 2 - zoom * smoothed.locate(np.array(self.image_size) / 2)
        return cv2.warpAffine(smoothed.image, matrix, self.input_size, flags=cv2.INTER_LINEAR)


def fit_into(image_size: tuple[int, int], input_size: tuple[int, int]) -> SceneFrame:
    """Return how a picture lies in an input of a fixed size: as large as fits."""
    zoom = min(inner / outer for inner, outer in zip(input_size, image_size, strict=True))
    return SceneFrame(image_size=image_size, input_size=input_size, zoom=zoom)


def with_shorter_side(image_size: tuple[int, int], *, shorter_side: int) -> SceneFrame:
    """Return how a picture lies in an input made for it: its shorter side as given, rounded up to multiples of 8.

    Raises:
        ValueError: If the side is below 8.
    """
    if shorter_side < STRIDE:
        raise ValueError(f"the shorter side of an input is at least {STRIDE} pixels, got {shorter_side}")
    zoom = shorter_side / min(image_size)
    width, height = (int(np.ceil(round(side * zoom, 6) / STRIDE)) * STRIDE for side in image_size)
    return SceneFrame(image_size=image_size, input_size=(width, height), zoom=zoom)
