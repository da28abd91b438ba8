"""Photographs that quantisation is fitted to, and others that it is judged on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from efficientpose.core.boxes import check_boxes
from efficientpose.core.crops import cut_crop, find_region
from efficientpose.core.images import find_images, read_image
from efficientpose.runtime.predict_files import BoxList, find_boxes

MIN_PICTURES: Final = 16
HELD_OUT_EVERY: Final = 4
"""One of so many pictures is not fitted to."""


class CalibrationCrops(NamedTuple):
    """BoxList at a network's resolution; nobody's picture is in both parts.

    Attributes:
        fitted: (B, H, W, 3) uint8 RGB, to fit scales and weights to.
        held_out: The same, to compare float32 with int8 on.
        num_pictures: Pictures used, of both parts.
        errors: A message for every picture that could not be used.
    """

    fitted: np.ndarray
    held_out: np.ndarray
    num_pictures: int
    errors: tuple[str, ...]


def load_calibration(
    folder: Path,
    *,
    input_size: tuple[int, int],
    num_pictures: int,
    boxes: Mapping[str, BoxList] | None = None,
) -> CalibrationCrops:
    """Cut people out of the pictures of a folder.

    Args:
        folder: With photographs of people as the network will see them.
        input_size: (width, height) of the network's input.
        num_pictures: The most that are taken, drawn from all, always the same.
        boxes: BoxList's boxes by file name; None takes each whole picture as one person.

    Raises:
        ValueError: If the folder is none, or has too few usable pictures; the message names those that are not.
    """
    if num_pictures < MIN_PICTURES:
        raise ValueError(f"calibration needs {MIN_PICTURES} pictures or more, not {num_pictures}")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of calibration pictures")
    pictures, missing = find_images([folder])
    if missing:
        raise missing[0]
    order = np.random.default_rng(0).permutation(len(pictures))
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    errors: list[str] = []
    num_used = 0
    for picture in (pictures[index] for index in order):
        if num_used == num_pictures:
            break
        try:
            crops = _cut(picture, input_size=input_size, boxes=boxes)
        except ValueError as error:
            message = str(error)
            errors.append(message if str(picture) in message else f"{picture}: {message}")
            continue
        parts[num_used % HELD_OUT_EVERY == HELD_OUT_EVERY - 1].extend(crops)
        num_used += 1
    if num_used < MIN_PICTURES:
        reasons = "".join(f"\n{error}" for error in errors)
        raise ValueError(
            f"{folder}: {num_used} of its {len(pictures)} pictures can be used, too few to calibrate on; at least "
            f"{MIN_PICTURES} are needed, a few hundred are better{reasons}"
        )
    return CalibrationCrops(np.stack(parts[0]), np.stack(parts[1]), num_used, tuple(errors))


def _cut(picture: Path, *, input_size: tuple[int, int], boxes: Mapping[str, BoxList] | None) -> list[np.ndarray]:
    image = read_image(picture)
    image_size = (image.shape[1], image.shape[0])
    regions = (
        find_region(box, image_size=image_size, input_size=input_size)
        for box in check_boxes(find_boxes(picture, boxes), image)
    )
    return [cut_crop(image, region, input_size=input_size)[..., ::-1] for region in regions]
