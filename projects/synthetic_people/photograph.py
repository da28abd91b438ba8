"""What a camera does to a clean picture: blur, exposure, colour cast, noise and JPEG."""

import math
from typing import Final

import cv2
import numpy as np

DIMMEST_AND_BRIGHTEST: Final = (65.0, 190.0)
"""Mean grey level of an exposed picture lies between these."""


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chance = rng.random()
    if chance < 0.12:
        # A moving camera smears evenly over an odd number of pixels, so keypoints stay in the middle of the smear.
        angle, reach = rng.uniform(0, math.pi), rng.uniform(1.0, 2.5)
        kernel = np.zeros((7, 7), np.float32)
        offset = reach * np.array([math.cos(angle), math.sin(angle)])
        start, end = (np.round(16 * (3 + sign * offset)).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, start, end, [1.0], 1, cv2.LINE_8, 4)
        return cv2.filter2D(image, -1, kernel / kernel.sum())
    if chance < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    return image


def _expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change gamma, contrast and colour cast; then expose as cameras do: no picture is mostly black or white."""
    gamma, contrast = math.exp(rng.normal(0, 0.22)), rng.uniform(0.6, 1.1)
    cast = 1 + rng.normal(0, 0.06, 3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** gamma * contrast * cast + (1 - contrast) * 90
    counts = np.bincount(image[::4, ::4].ravel(), minlength=256)
    mean = max(float(counts @ levels.mean(axis=1)) / counts.sum(), 1.0)
    target = np.clip(mean + rng.uniform(-25, 35), *DIMMEST_AND_BRIGHTEST)
    table = np.clip(levels * (target / mean), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(256, 1, 3))


def _add_noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strength = min(rng.exponential(5.0), 16.0)
    if strength < 1:
        return image
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= strength
    noise += image
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)


def spoil(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the picture as a camera might have taken it.

    Args:
        image: (height, width, 3) uint8, BGR.
        rng: Source of randomness.

    Returns:
        (height, width, 3) uint8; nothing moves.
    """
    spoilt = _expose(_blur(image, rng), rng)
    if rng.random() < 0.05:
        spoilt = cv2.cvtColor(cv2.cvtColor(spoilt, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return _add_noise(spoilt, rng)


def encode_jpeg(image: np.ndarray, *, quality: int) -> bytes:
    """Return the picture (height, width, 3) uint8 BGR as JPEG.

    Raises:
        RuntimeError: If OpenCV was built without a JPEG encoder.
    """
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV cannot encode JPEG: install a build of opencv-python with JPEG support")
    return encoded.tobytes()
