"""Read a camera frame by frame with OpenCV."""

import time
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from efficientpose.video.reading import DEFAULT_RATE, Frame, VideoError

PATIENCE: Final = 1.0  # seconds without an image before a camera counts as gone
PAUSE: Final = 0.02  # seconds before a camera that gave no image is asked again


class Camera:
    """An open camera, by its number from 0: iterate over its frames, until Ctrl-C.

    Attributes:
        name: What results are called.
        rate: Frames per second that it promises.
        problems: One message for all its pauses, filled while iterating.
    """

    is_camera = True
    num_frames = None

    def __init__(self, capture: cv2.VideoCapture, *, number: int) -> None:
        self.name = f"camera{number}"
        self.problems: list[str] = []
        self._title = f"camera {number}"
        self._capture = capture
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else DEFAULT_RATE
        self._pauses: list[float] = []

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *_error: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order, with the seconds since the first one.

        Raises:
            VideoError: If it gives no image, or no more.
        """
        start, number = 0.0, -1
        while (image := self._wait_for_image()) is not None:
            now = time.monotonic()
            number += 1
            start = start if number else now
            yield Frame(number, now - start, image)
        if number < 0:
            raise VideoError(f"{self._title}: it gives no images")
        raise VideoError(f"{self._title}: no image after frame {number}: was it unplugged or taken away?")

    def _wait_for_image(self) -> np.ndarray | None:
        """Return the next image; None if the camera is gone."""
        is_read, image = self._capture.read()
        if is_read:
            return image
        start = now = time.monotonic()
        while not is_read and now - start < PATIENCE:
            time.sleep(PAUSE)
            is_read, image = self._capture.read()
            now = time.monotonic()
        if not is_read:
            return None
        self._pauses.append(now - start)
        times = "once" if len(self._pauses) == 1 else f"{len(self._pauses)} times"
        self.problems[:] = [f"{self._title}: it paused {times}, {sum(self._pauses):.1f} s in all, and went on"]
        return image


def open_camera(number: int) -> Camera:
    """Open a camera by its number, from 0.

    Raises:
        VideoError: If there is no such camera, or it is in use.
    """
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise VideoError(f"camera {number}: it is not there, or another program has it")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return Camera(capture, number=number)
