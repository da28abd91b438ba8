"""Crops of people to compare networks on."""

import os
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from efficientpose.core.crops import cut_crop, find_region
from efficientpose.core.images import read_image, write_image
from efficientpose.video.reading import open_video

SHARED_VARIABLE = "EFFICIENTPOSE_SHARED"
_NUM_SMOOTH = 3
DEMO_VIDEO = "Sports2D/Demo/demo.mp4"
DEMO_FRAMES = {
    28: [[515, 0, 740, 465]],
    84: [[560, 80, 705, 465], [1115, 510, 1300, 940]],
}
"""Frame number of the demo video → its people as x1, y1, x2, y2 in pixels."""


class Crops(NamedTuple):
    """Crops at a network's resolution, and what they are, in words."""

    pixels: np.ndarray  # (B, H, W, 3) uint8, RGB
    origin: str


def find_crops(input_size: tuple[int, int]) -> Crops:
    """Return crops of one size (width, height).

    The reference crops of the released networks where EFFICIENTPOSE_SHARED says they are and some have this size, else
    the people of the demo's video, else smooth random images.
    """
    width, height = input_size
    reference = Path(os.environ.get(SHARED_VARIABLE, "")) / "golden" / "inputs.npz"
    if SHARED_VARIABLE in os.environ and reference.is_file():
        with np.load(reference) as inputs:
            fitting = [inputs[name] for name in inputs.files if inputs[name].shape == (height, width, 3)]
        if fitting:
            return Crops(np.stack(fitting), "reference crops")
    try:
        return Crops(_cut_demo(demo_video(), input_size), "people of the demo's video")
    except FileNotFoundError:
        return Crops(draw_smooth_crops(input_size), "smooth random images")


def demo_video() -> Path:
    """Return the video that Sports2D ships (BSD licence).

    Raises:
        FileNotFoundError: If Sports2D is not installed or ships it no more.
    """
    try:
        video = Path(str(distribution("sports2d").locate_file(DEMO_VIDEO)))
    except PackageNotFoundError:
        video = Path(DEMO_VIDEO)
    if not video.is_file():
        raise FileNotFoundError("the demo needs the video that Sports2D ships: pip install --no-deps sports2d")
    return video


def extract_frames(video: Path, folder: Path) -> list[Path]:
    """Write the demo's frames as images and return them.

    Raises:
        ValueError: If the video has fewer frames.
        OSError: If an image cannot be written.
    """
    with open_video(video) as source:
        frames = [frame for frame in islice(source, max(DEMO_FRAMES) + 1) if frame.number in DEMO_FRAMES]
    if len(frames) < len(DEMO_FRAMES):
        raise ValueError(f"{video}: the demo needs the frames {', '.join(map(str, DEMO_FRAMES))}")
    return [write_image(frame.image, folder / f"frame{frame.number:03}.png") for frame in frames]


def _cut_demo(video: Path, input_size: tuple[int, int]) -> np.ndarray:
    crops = []
    with tempfile.TemporaryDirectory() as folder:
        for path, boxes in zip(extract_frames(video, Path(folder)), DEMO_FRAMES.values(), strict=True):
            image = read_image(path)
            image_size = (image.shape[1], image.shape[0])
            for box in boxes:
                region = find_region(np.array(box, np.float32), image_size=image_size, input_size=input_size)
                crops.append(cut_crop(image, region, input_size=input_size)[..., ::-1])
    return np.stack(crops)


def draw_smooth_crops(input_size: tuple[int, int]) -> np.ndarray:
    """Return random colours that change slowly across each image, (3, H, W, 3) uint8, always the same."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (_NUM_SMOOTH, 7, 7, 3), np.uint8)
    return np.stack([cv2.resize(each, input_size, interpolation=cv2.INTER_CUBIC) for each in coarse])
