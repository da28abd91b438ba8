"""Find, read, check and write images, with errors that name the file and the reason."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from efficientpose.core.files import replacing

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".jpe", ".png", ".tif", ".tiff", ".webp"})
MIN_SIDE = 8
MAX_SIDE = 32_766  # pixels; OpenCV warps no larger images

_JPEG_START = b"\xff\xd8\xff"
_JPEG_SCAN = 0xDA
_JPEG_END = 0xD9
_JPEG_MARKERS_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND"


class ImageError(ValueError):
    """An image cannot be used; the message names the file and the reason."""


def find_images(sources: Iterable[Path]) -> tuple[list[Path], list[ImageError]]:
    """List the images, each once, and an error for every source that does not exist or has no image.

    Sources are files, with any ending, and folders, whose images are taken in alphabetical order, not recursively.
    """
    found: dict[Path, None] = {}
    errors = []
    for source in sources:
        try:
            inside = _list_images(source) if source.is_dir() else [source]
            if not source.exists():
                raise FileNotFoundError(2, "no such file or folder")
        except OSError as error:
            errors.append(ImageError(f"{source}: {error.strerror}"))
            continue
        if not inside:
            kinds = " ".join(sorted(IMAGE_SUFFIXES))
            errors.append(ImageError(f"{source}: no images in this folder (looked for {kinds})"))
        found.update(dict.fromkeys(inside))
    return list(found), errors


def _list_images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir())


def read_image(path: Path) -> np.ndarray:
    """Read an image, (H, W, 3) uint8 BGR.

    Grey images become colour, 16 bits become 8, transparency is dropped and an EXIF rotation is applied.

    Raises:
        ImageError: If the file cannot be read, is empty, truncated or no image, or has a side of fewer than 8 or more
            than 32,766 pixels.
    """
    try:
        if path.exists() and not path.is_file():
            raise ImageError(f"{path}: not a file")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
    if not data:
        raise ImageError(f"{path}: the file is empty")
    if _is_truncated(data):
        raise ImageError(f"{path}: the file is truncated, its end is missing; copy it again from where it came")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{path}: OpenCV cannot decode it ({error.err})") from error
    if image is None:
        raise ImageError(f"{path}: not an image that OpenCV can decode, whatever its name says")
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"{path}: {width} x {height} pixels are too few; each side needs at least {MIN_SIDE}")
    if max(height, width) > MAX_SIDE:
        raise ImageError(f"{path}: {width} x {height} pixels are too many; scale it down to {MAX_SIDE} on a side")
    return image


def _is_truncated(data: bytes) -> bool:
    """Whether a JPEG or PNG ends before its end mark; decoders would fill the rest with grey without an error.

    Bytes after the end mark are ignored: cameras append thumbnails and videos there.
    """
    if data.startswith(_JPEG_START):
        return _is_truncated_jpeg(data)
    return data.startswith(_PNG_START) and _is_truncated_png(data)


def _is_truncated_jpeg(data: bytes) -> bool:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == _JPEG_END:
            return False
        if marker == 0xFF:  # padding
            position += 1
            continue
        position += 2
        if marker not in _JPEG_MARKERS_WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
        if marker == _JPEG_SCAN:
            position = _end_of_scan(data, position)
    return data[position : position + 2] != bytes((0xFF, _JPEG_END))


def _end_of_scan(data: bytes, position: int) -> int:
    """Return where the marker after entropy-coded data starts; in the data, 0xFF is followed by 0 or a restart mark."""
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        if data[position + 1] != 0 and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2
    return len(data)


def _is_truncated_png(data: bytes) -> bool:
    position = len(_PNG_START)
    while position + 12 <= len(data):
        if data[position + 4 : position + 8] == _PNG_END:
            return False
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return True


def load_image(image: str | Path | np.ndarray) -> np.ndarray:
    """Return an image, (H, W, 3) uint8 BGR, from a file or, checked, as it is.

    Raises:
        ImageError: If the file is no usable image.
        ValueError: If the array is no such image.
    """
    return read_image(Path(image)) if isinstance(image, str | Path) else check_image(image)


def check_image(image: object) -> np.ndarray:
    """Return an image as it is; raises ValueError if it is not (H, W, 3) uint8."""
    if not isinstance(image, np.ndarray):
        hint = "; cv2.imread gives None for a file that it cannot read" if image is None else ""
        raise ValueError(f"an image is a file's path, or (height, width, 3) uint8, BGR; got {image!r:.80}{hint}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"an image is (height, width, 3) uint8, BGR; got {image.shape} {image.dtype}")
    return image


def write_image(image: np.ndarray, path: Path) -> Path:
    """Write an image atomically, in the format that its name ends in, and return its path.

    Raises:
        OSError: If it cannot be written.
    """
    encoded, data = cv2.imencode(path.suffix, image)
    if not encoded:
        raise OSError(f"{path}: OpenCV could not encode an image of shape {image.shape}")
    with replacing(path) as partial:
        partial.write_bytes(data.tobytes())
    return path
