"""Read videos and cameras frame by frame, and say what could not be read.

OpenCV reads them with the FFmpeg that its packages bring. Damage that the decoder conceals does not show here.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Protocol

import cv2
import numpy as np

MIN_STEPS: Final = 10
"""Steps from picture to picture that must have been seen before a rate counts as constant."""

EVEN_STEPS: Final = 0.95
"""Share of the steps that are one frame long in a file of constant rate; damage may have spoilt the others."""

WHOLE: Final = 0.1
"""How far, in frames, a step may be from a whole number of frames."""

ROUNDING: Final = 0.0011
"""How far it may be in seconds: some containers round times to milliseconds."""

MAX_TOLERANCE: Final = 0.4
"""In frames, for high rates, at which a millisecond is no small part of a frame."""

SUFFIXES_WITHOUT_COUNT: Final = frozenset({".m2ts", ".mkv", ".mpeg", ".mpg", ".mts", ".ts", ".webm"})
"""Containers without a table of their frames: what is damaged is passed over, and no read fails."""


class Container(NamedTuple):
    """What a file says about frames that cannot be read.

    Attributes:
        may_skip: Whether frames may be passed over without a failed read.
        is_whole_avi: Whether it is an AVI of the length its header says: nothing is cut off, and its times are counted
            while reading, not stored.
    """

    may_skip: bool = False
    is_whole_avi: bool = False


def inspect_container(path: Path) -> Container:
    """Look at a video's name and its first bytes.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
    is_avi = head[:4] == b"RIFF" and head[8:] == b"AVI "
    length = 8 + int.from_bytes(head[4:8], "little")
    return Container(
        may_skip=path.suffix.lower() in SUFFIXES_WITHOUT_COUNT,
        is_whole_avi=is_avi and path.stat().st_size - length in (0, 1),  # chunks are padded to even lengths
    )


class FrameNumbers:
    """Gives each picture of a file its place among the file's frames.

    A number is the count of reads before, failed ones included. A decoder or demuxer may drop several frames in one
    read, though; a picture more than half a frame later than its count says is then numbered by its time, where

    - the rate has been constant so far: of ten steps between pictures or more, 95 % were one frame long, and
    - frames are known to be lost: a read has failed, here or before; or the container lets frames be passed over in
      silence, and the step is a whole number of frames, and
    - the header promises as many frames.

    In all other cases it is the count. So a varying rate is no damage, and frames are not missed that are lost within
    the first ten, or without any failed read from a container with a table of frames, such as MP4 or AVI. Of a file
    without such a table, a pause of whole frames in an otherwise constant rate is taken for lost frames.

    Args:
        rate: Frames per second.
        num_frames: What the header promises; None where it does not, and pictures are then counted only.
        may_skip: Whether the container lets frames be passed over without a failed read.
    """

    def __init__(self, *, rate: float, num_frames: int | None, may_skip: bool) -> None:
        self._rate = rate
        self._num_frames = num_frames or 0
        self._loses_frames = False
        self._may_skip = may_skip
        self._tolerance = min(max(WHOLE, ROUNDING * rate), MAX_TOLERANCE)
        self._number = -1
        self._seconds: float | None = None
        self._num_steps = 0
        self._num_even = 0

    def place(self, *, num_failed: int, seconds: float | None) -> int:
        """Return the number of the next picture.

        Args:
            num_failed: Reads without a picture since the last one.
            seconds: When it is shown; None where the file does not say.
        """
        step = None if seconds is None or self._seconds is None else (seconds - self._seconds) * self._rate
        counted = 1 + num_failed
        self._loses_frames |= num_failed > 0
        if step is not None and step > counted + 0.5 and self._proves_loss(step):
            counted = round(step)
        elif self._number >= 0 and not num_failed:
            self._num_steps += 1
            self._num_even += step is not None and abs(step - 1) <= self._tolerance
        self._number += counted
        self._seconds = seconds
        return self._number

    def _proves_loss(self, step: float) -> bool:
        """Return whether a step of so many frames, more than were counted, means that frames are missing."""
        is_constant = self._num_steps >= MIN_STEPS and self._num_even >= EVEN_STEPS * self._num_steps
        is_skip = self._may_skip and abs(step - round(step)) <= self._tolerance
        is_promised = self._number + round(step) <= self._num_frames
        return is_constant and is_promised and (self._loses_frames or is_skip)


VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm"}
    | {".wmv"}
)
MAX_FAILURES: Final = 100
"""Reads in a row without a picture, and reads beyond what the header promises, before a video counts as ended."""

FILE_PATIENCE: Final = 20.0
"""Seconds without a picture before a video counts as ended; a damaged header may promise any number of frames."""

CAMERA_PATIENCE: Final = 1.0
"""Seconds without a picture before a camera counts as gone."""

CAMERA_PAUSE: Final = 0.02
"""Seconds before a camera that gave no picture is asked again."""

DEFAULT_RATE: Final = 30.0


class VideoError(ValueError):
    """A video or camera cannot be used any further; the message names it and the reason."""


class Frame(NamedTuple):
    """One picture of a video.

    Attributes:
        number: Its place among the video's frames, from 0; damaged ones count, as
            :class:`~efficientpose.video.reading.FrameNumbers` says. Of a camera, frames are counted as read.
        seconds: When it is shown, from the video's own timestamps; for a camera, since its first frame.
        image: (H, W, 3) uint8, BGR, turned upright as the video's metadata say.
    """

    number: int
    seconds: float
    image: np.ndarray


class _Found(NamedTuple):
    """A picture, and how many reads for how many seconds gave none before it."""

    image: np.ndarray
    num_failed: int
    seconds: float


class Capture(Protocol):
    """What of ``cv2.VideoCapture`` is used."""

    def grab(self) -> bool: ...  # noqa: D102
    def retrieve(self) -> tuple[bool, np.ndarray]: ...  # noqa: D102
    def get(self, propId: int) -> float: ...  # noqa: D102, N803
    def release(self) -> None: ...  # noqa: D102


class VideoSource:
    """An open video or camera: iterate over its frames, once.

    Args:
        capture: What it is read from.
        title: What messages call it.
        name: What results are called.
        is_camera: Whether it has no end of its own.
        container: What is known of the file; None for a camera.

    Attributes:
        name: What results are called.
        is_camera: Whether it has no end of its own.
        rate: Frames per second, the mean where it varies.
        num_frames: How many its header promises; None where it does not, as for a camera.
        problems: One message for whatever could not be read, filled while iterating.
    """

    def __init__(
        self, capture: Capture, *, title: str, name: str, is_camera: bool, container: Container | None = None
    ) -> None:
        self.name = name
        self.problems: list[str] = []
        self._capture = capture
        self._title = title
        self._container = container or Container()
        self.is_camera = is_camera
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else DEFAULT_RATE
        count = 0 if is_camera else capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.num_frames = round(count) if 0 < count < 1e9 else None
        self._start: float | None = None
        self._num_pauses = 0
        self._seconds_paused = 0.0

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order.

        Raises:
            VideoError: If there is none, or a camera stops giving them.
        """
        numbers = FrameNumbers(rate=self.rate, num_frames=self.num_frames, may_skip=self._container.may_skip)
        number, num_read = -1, 0
        seconds: float | None = None
        while (found := self._find_picture(number + 1)) is not None:
            expected = number + 1
            shown = self._camera_time() if self.is_camera else self._file_time(after=seconds)
            number = expected if self.is_camera else numbers.place(num_failed=found.num_failed, seconds=shown)
            if found.num_failed or number > expected:
                self._report_gap(found, first=expected, last=number - 1)
            if shown is None:
                shown = number / self.rate if seconds is None else seconds + (number + 1 - expected) / self.rate
            seconds = shown
            num_read += 1
            yield Frame(number, seconds, found.image)
        if seconds is None:
            raise VideoError(f"{self._title}: it gives no pictures")
        if self.is_camera:
            raise VideoError(f"{self._title}: no picture after frame {number}: was it unplugged or taken away?")
        self._report_missing(number + 1, num_read, seconds)

    def _find_picture(self, num_tried: int) -> _Found | None:
        """Read until there is a picture; return None at the end."""
        num_failed = 0
        start: float | None = None
        while (image := self._read()) is None:
            start = time.monotonic() if start is None else start
            num_failed += 1
            if self._is_over(num_tried + num_failed, num_failed=num_failed, seconds=time.monotonic() - start):
                return None
            if self.is_camera:
                time.sleep(CAMERA_PAUSE)
        return _Found(image, num_failed, 0.0 if start is None else time.monotonic() - start)

    def _is_over(self, num_tried: int, *, num_failed: int, seconds: float) -> bool:
        """Return whether so many reads in a row, for so many seconds, are the end and not damage or a hiccup."""
        if self.is_camera:
            return seconds >= CAMERA_PATIENCE
        has_tried_all = num_tried >= (self.num_frames or 0) + MAX_FAILURES
        return num_failed >= MAX_FAILURES and (has_tried_all or seconds >= FILE_PATIENCE)

    def _read(self) -> np.ndarray | None:
        with suppress(cv2.error):
            if self._capture.grab():
                read, image = self._capture.retrieve()
                if read and image is not None and image.size:
                    return image
        return None

    def _camera_time(self) -> float:
        now = time.monotonic()
        self._start = now if self._start is None else self._start
        return now - self._start

    def _file_time(self, *, after: float | None) -> float | None:
        """Return when the frame just read is shown; None where the video does not say."""
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not np.isfinite(seconds) or seconds < 0 or (after is not None and seconds <= after):
            return None
        return float(seconds)

    def _report_gap(self, found: _Found, *, first: int, last: int) -> None:
        """Say what was missing before a picture; of a camera in one message, because it may run for days."""
        if self.is_camera:
            self._num_pauses += 1
            self._seconds_paused += found.seconds
            times = "once" if self._num_pauses == 1 else f"{self._num_pauses} times"
            self.problems[:] = [f"{self._title}: it paused {times}, {self._seconds_paused:.1f} s in all, and went on"]
            return
        frames = f"frame {first} is" if first == last else f"frames {first} to {last} are"
        self.problems.append(f"{self._title}: {frames} {'damaged' if found.num_failed else 'missing'}, skipped")

    def _report_missing(self, num_seen: int, num_read: int, seconds: float) -> None:
        """Compare with what the header promises; rounding and a varying rate may cost it a frame or a fiftieth."""
        if self.num_frames is None or self.num_frames - num_seen <= max(1, self.num_frames // 50):
            return
        duration = self.num_frames / self.rate
        can_be_read = f"{self._title}: {num_read} of {self.num_frames} frames can be read, the others are damaged"
        if self._container.is_whole_avi:
            self.problems.append(
                f"{can_be_read}; an AVI does not tell which, so that frame numbers and times may be too low from the "
                "first of them on"
            )
        elif seconds + 2 / self.rate < 0.98 * duration:
            self.problems.append(
                f"{self._title}: it ends after frame {num_seen - 1}, at {seconds:.2f} s of {duration:.2f} s: the file "
                "is cut off or its end is damaged"
            )
        else:
            self.problems.append(can_be_read)


def open_video(path: Path) -> VideoSource:
    """Open a video file.

    Raises:
        VideoError: If it is not there, empty, or no video that OpenCV can read.
    """
    if not path.is_file():
        raise VideoError(f"{path}: no such video")
    if not path.stat().st_size:
        raise VideoError(f"{path}: the file is empty")
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise VideoError(
            f"{path}: not a video that OpenCV can read, or its end is missing; copy it again from where it came"
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    container = inspect_container(path)
    return VideoSource(capture, title=str(path), name=path.stem, is_camera=False, container=container)


def open_camera(number: int) -> VideoSource:
    """Open a camera by its number, from 0.

    Raises:
        VideoError: If there is no such camera, or it is in use.
    """
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise VideoError(f"camera {number}: it is not there, or another program has it")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return VideoSource(capture, title=f"camera {number}", name=f"camera{number}", is_camera=True)
