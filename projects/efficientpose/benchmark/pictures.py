"""A picture of one person to measure with."""

import os
from pathlib import Path

import cv2
import numpy as np

from efficientpose.core.images import read_image
from efficientpose.inference.sample_crops import (
    DEMO_FRAMES,
    SHARED_VARIABLE,
    demo_video,
    draw_smooth_crops,
    extract_frames,
)

PHOTOGRAPH = "data/photos/official_sample.jpg"
_SIDE = 1024


def find_picture(folder: Path) -> Path:
    """Return a JPEG of about a megapixel.

    The authors' photograph where EFFICIENTPOSE_SHARED says where it is, else a person of the demo's video, else a
    smooth random picture.

    Args:
        folder: Where to write it, if need be.
    """
    photograph = Path(os.environ.get(SHARED_VARIABLE, "")) / PHOTOGRAPH
    if SHARED_VARIABLE in os.environ and photograph.is_file():
        return photograph
    path = folder / "picture.jpg"
    cv2.imwrite(str(path), _draw_person(folder), [cv2.IMWRITE_JPEG_QUALITY, 95])
    return path


def _draw_person(folder: Path) -> np.ndarray:
    try:
        frames = extract_frames(demo_video(), folder)
    except FileNotFoundError:
        return draw_smooth_crops((_SIDE, _SIDE))[0]
    x1, y1, x2, y2 = DEMO_FRAMES[min(DEMO_FRAMES)][0]
    person = read_image(frames[0])[y1:y2, x1:x2]
    return cv2.resize(person, (round(_SIDE * (x2 - x1) / (y2 - y1)), _SIDE), interpolation=cv2.INTER_CUBIC)
