"""Number a video file's pictures: by counting reads, and by timestamps where these prove that frames are missing."""

from pathlib import Path
from typing import Final, NamedTuple

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
