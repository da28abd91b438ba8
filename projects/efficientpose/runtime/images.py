"""Find and read pictures, with errors that say what is wrong with which file."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".jpe", ".png", ".tif", ".tiff", ".webp"})
MIN_SIDE = 8

_JPEG_START = b"\xff\xd8\xff"
_JPEG_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND"


class ImageError(ValueError):
    """A picture cannot be used; the message names the file and the reason."""


def find_images(sources: Iterable[Path]) -> tuple[list[Path], list[ImageError]]:
    """List the pictures that files and folders stand for.

    Args:
        sources: Files, taken whatever they are called, and folders, of which the pictures directly inside are taken in
            alphabetical order.

    Returns:
        The pictures, each once, and an error for every source that is not there or has no picture.
    """
    found: dict[Path, None] = {}
    errors = []
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                kinds = " ".join(sorted(IMAGE_SUFFIXES))
                errors.append(ImageError(f"{source}: no pictures in this folder (looked for {kinds})"))
            found.update(dict.fromkeys(inside))
        elif source.exists():
            found[source] = None
        else:
            errors.append(ImageError(f"{source}: no such file or folder"))
    return list(found), errors


def read_image(path: Path) -> np.ndarray:
    """Read a picture as a person sees it.

    Grey pictures become colour, 16 bits become 8, transparency is dropped and an EXIF rotation is applied.

    Args:
        path: The file.

    Returns:
        (height, width, 3) uint8, BGR.

    Raises:
        ImageError: If the file cannot be read, is empty, cut off or no picture, or smaller than 8 pixels.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
    if not data:
        raise ImageError(f"{path}: the file is empty")
    if _is_cut_off(data):
        raise ImageError(f"{path}: the file is cut off, its end is missing; copy it again from where it came")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{path}: OpenCV cannot decode it ({error.err})") from error
    if image is None:
        raise ImageError(f"{path}: not a picture that OpenCV can decode, whatever its name says")
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            f"{path}: {width} x {height} pixels are too few to show a person; each side needs at least {MIN_SIDE}"
        )
    return image


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end mark, which decoders fill up with grey without a word."""
    if data.startswith(_JPEG_START):
        return _JPEG_END not in data[max(data.rfind(_JPEG_SCAN), 0) :]
    return data.startswith(_PNG_START) and _PNG_END not in data[-64:]
