"""Read video files frame by frame with PyAV, as players show them, and say what could not be read.

Times are the file's own. Pixels that are not square are resampled to square ones, and rotation is applied. A frame that
FFmpeg cannot decode, or decodes from damaged data, is skipped and reported.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    import av

VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".h264", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"}
    | {".ts", ".webm", ".wmv"}
)

DEFAULT_RATE: Final = 30.0  # where neither the file nor its codec says one

MIN_STEPS: Final = 10  # from frame to frame, before a rate counts as constant
EVEN_STEPS: Final = 0.95  # share of them that are one frame long at a constant rate; damage may change the others
WHOLE: Final = 0.1  # how far a step may be from whole frames, beyond the rounding of the file's times

FORMATS_WITHOUT_TABLE: Final = frozenset({"matroska,webm", "mpegts", "mpeg"})
"""FFmpeg's names of containers that are read on after damage, past frames that leave no trace but their time."""

# FFmpeg counts rotation counterclockwise, in degrees
QUARTER_TURNS: Final = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class VideoError(ValueError):
    """A video or camera cannot be used any further; the message names it and the reason."""


class Frame(NamedTuple):
    """One image of a video."""

    number: int  # from 0; damaged frames of a file count, as FrameNumbers says, a camera's are counted as read
    seconds: float  # when it is shown, after the video's first frame
    image: np.ndarray  # (H, W, 3) uint8, BGR, upright and of square pixels


class FrameNumbers:
    """Gives each decoded frame its place among the file's frames.

    Frames are counted, those that cannot be decoded included. Where the rate has been constant, the time says more: the
    decoder or the container may pass over several frames at once. A varying rate is no damage: a longer step counts as
    lost frames only after a frame could not be decoded, or where it is a whole number of frames in a container without
    a table of them. ``rate`` is in frames per second, ``tick`` the seconds to which the file rounds its times.
    """

    def __init__(self, *, rate: float, tick: float, has_table: bool) -> None:
        self._rate = rate
        self._tolerance = min(WHOLE + tick * rate, 0.4)
        self._has_table = has_table
        self._has_failed = False
        self._number = -1
        self._seconds = 0.0
        self._num_steps = self._num_even = 0

    @property
    def is_constant(self) -> bool:
        """Whether the rate has been constant so far."""
        return self._num_steps >= MIN_STEPS and self._num_even >= EVEN_STEPS * self._num_steps

    def place(self, seconds: float, *, num_failed: int) -> int:
        """Return the number of the next frame, before which ``num_failed`` could not be decoded."""
        step = (seconds - self._seconds) * self._rate if self._number >= 0 else 1.0  # in frames
        self._has_failed |= num_failed > 0
        num_passed = round(step)
        is_whole = abs(step - num_passed) <= self._tolerance
        if self.is_constant and (self._has_failed or (is_whole and not self._has_table)):
            self._number += max(1, num_passed)
        else:
            self._number += 1 + num_failed
        if self._number > 0 and not num_failed:
            self._num_steps += 1
            self._num_even += is_whole and num_passed == 1
        self._seconds = seconds
        return self._number


class VideoFile:
    """An open video file: iterate over its frames, once.

    Attributes:
        name: What results are called.
        rate: Frames per second, the mean where it varies.
        num_frames: About how many there are; None where the file does not say.
        problems: One message for whatever could not be read, filled while iterating.
    """

    is_camera = False

    def __init__(
        self, path: Path, file: IO[bytes], container: "av.container.InputContainer", stream: "av.VideoStream"
    ) -> None:
        self.name = path.stem
        self._file = file
        self.problems: list[str] = []
        self._path = path
        self._container = container
        self._stream = stream
        self._duration = (container.duration or 0) / 1e6  # of the longest stream
        has_times = stream.start_time is not None
        self.rate = float((has_times and stream.average_rate) or stream.guessed_rate or DEFAULT_RATE)
        self.num_frames = stream.frames or round(self._duration * self.rate) or None
        self._num_packets = 0
        self._num_failed = 0
        self._damaged_pts: set[int | None] = set()
        self._end = 0.0  # of what was found of any stream, seconds

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, *_error: object) -> None:
        self._container.close()
        self._file.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order.

        Raises:
            VideoError: If there is none.
            OSError: If the file cannot be read any further.
        """
        stream = self._stream
        tick = float(stream.time_base or 0)
        has_table = self._container.format.name not in FORMATS_WITHOUT_TABLE
        numbers = FrameNumbers(rate=self.rate, tick=tick, has_table=has_table)
        gaps: list[tuple[int, int, bool]] = []  # first and last frame, and whether one failed
        number, num_read, seconds = -1, 0, 0.0
        for decoded in self._decode():
            if decoded.is_corrupt or decoded.pts in self._damaged_pts:
                self._num_failed += 1
                continue
            expected = number + 1
            shown = None if decoded.pts is None else self._time_of(decoded.pts, tick=tick)
            if shown is None or (num_read and shown <= seconds):
                shown = seconds + (1 + self._num_failed) / self.rate if num_read else self._num_failed / self.rate
            number, seconds = numbers.place(shown, num_failed=self._num_failed), shown
            if number > expected:
                gaps.append((expected, number - 1, self._num_failed > 0))
                self._num_failed = 0
            num_read += 1
            yield Frame(number, seconds, self._convert(decoded))
        if not num_read:
            raise VideoError(f"{self._path}: no frame of it can be read")
        for first, last, has_failed in gaps:
            if has_failed or numbers.is_constant:  # else the rate varies
                frames = f"frame {first} is" if first == last else f"frames {first} to {last} are"
                self.problems.append(f"{self._path}: {frames} damaged, skipped")
        self._report_end(number=number, num_read=num_read)

    def _decode(self) -> Iterator[Any]:
        """Yield the frames that FFmpeg decodes, ``av.VideoFrame``; those it cannot are counted."""
        import av

        try:
            for packet in self._container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream is not self._stream:
                    continue
                self._num_packets += packet.size > 0 and not packet.is_discard
                if packet.is_corrupt:
                    self._damaged_pts.add(packet.pts)
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    self._num_failed += 1
        except (av.InvalidDataError, av.EOFError):
            return  # the rest is missing, and is reported as such

    def _time_of(self, pts: int, *, tick: float) -> float:
        """Return when a frame is shown; at a constant rate without the container's rounding to its ticks."""
        seconds = (pts - (self._stream.start_time or 0)) * tick
        even = round(seconds * self.rate) / self.rate
        return even if abs(even - seconds) <= tick else seconds

    def _convert(self, decoded: "av.VideoFrame") -> np.ndarray:
        """Return a frame as players show it, (H, W, 3) uint8, BGR."""
        aspect = self._stream.sample_aspect_ratio or 1  # width of a pixel per height
        image: np.ndarray = decoded.to_ndarray(format="bgr24", width=max(1, round(decoded.width * aspect)))
        turn = QUARTER_TURNS.get(decoded.rotation % 360)
        return image if turn is None else cv2.rotate(image, turn)

    def _report_end(self, *, number: int, num_read: int) -> None:
        """Say where the file ends too early, or has more frames than came out."""
        is_avi = self._container.format.name == "avi"
        num_promised = self._stream.frames if is_avi or not self._stream.frames else self._num_packets
        if not is_avi and self._end + 2 / self.rate < 0.98 * self._duration:
            place = f"it ends after frame {number}, at {self._end:.2f} s of {self._duration:.2f} s"
            self.problems.append(f"{self._path}: {place}: the file is cut off or its end is damaged")
        elif num_promised - number - 1 > max(1, num_promised // 50):
            hint = "; an AVI does not tell which: frame numbers and times may be too low" if is_avi else ""
            share = f"{num_read} of {num_promised} frames can be read"
            self.problems.append(f"{self._path}: {share}, the rest is damaged or cut off{hint}")


def open_video(path: Path) -> VideoFile:
    """Open a video file.

    Raises:
        VideoError: If it is not there, empty, no video that FFmpeg can read, or PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise VideoError(f"{path}: reading videos needs PyAV: pip install av") from error
    if not path.is_file():
        raise VideoError(f"{path}: no such video")
    if not path.stat().st_size:
        raise VideoError(f"{path}: the file is empty")
    file = path.open("rb")  # FFmpeg itself opens names in UTF-8 only
    try:
        container: Any = av.open(file, metadata_errors="replace")
        stream: Any = container.streams.best("video")
    except av.FFmpegError:
        stream = None
    if stream is None or stream.codec_context is None:
        file.close()
        problem = "not a video that FFmpeg can read, or its end is missing; copy it again from where it came"
        raise VideoError(f"{path}: {problem}")
    return VideoFile(path, file, container, stream)
