"""Write what was found in a video, frame by frame as it comes: overlay video, JSON lines and CSV."""

import csv
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np

from efficientpose.core.drawing import draw_poses
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import MPII_SKELETON, Skeleton
from efficientpose.video.reading import Frame

CSV_HEADER: Final = ("frame", "seconds", "person", "keypoint", "x", "y", "score")

TICKS: Final = 60_000  # of the overlay's clock in a second: MPEG-4 takes up to 65,535; these divide the usual rates
BITS_PER_PIXEL: Final = 2


class OverlayVideo:
    """An MPEG-4 video of about ``rate`` frames a second, each at its own time; it can be played once it is closed."""

    def __init__(self, path: Path, *, rate: float, size: tuple[int, int]) -> None:
        import av

        self.size = size
        self._file: Any = path.open("wb")  # FFmpeg itself opens names in UTF-8 only
        self._container = av.open(self._file, "w", format="mp4")
        self._stream = self._container.add_stream("mpeg4", rate=Fraction(rate).limit_denominator(10_000))
        self._stream.width, self._stream.height = size
        self._stream.bit_rate = round(BITS_PER_PIXEL * size[0] * size[1] * rate)
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._earliest = -math.inf  # ticks at which the next image may be shown

    def write(self, image: np.ndarray, *, seconds: float) -> None:
        """Append an image (H, W, 3) uint8, BGR; one whose time is not after the last one's is shown a tick after it."""
        import av

        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = int(max(round(seconds * TICKS), self._earliest)), Fraction(1, TICKS)
        self._earliest = frame.pts + 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
            self._file.close()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors of writing to it, which do not say it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


class VideoResults:
    """The files of one video, open for writing; use it in a ``with`` block.

    - ``<name>_pose.jsonl``: one line a frame with ``frame``, ``seconds``, ``width`` and ``height`` of the video, and
      ``instances``, each a ``bbox`` and ``keypoints`` [x, y, score]: sixteen in MPII order, or another skeleton's,
      whose ``keypoint_names`` and ``skeleton`` (limbs) each line then has as well.
    - ``<name>_pose.csv``: one line a keypoint: frame, seconds, person (from 0), keypoint, x, y, score.
    - ``<name>_pose.mp4``: the video with skeletons, each frame once and at its time.

    Each line is on disk when its frame is done. The overlay can be played when it is closed, also after an error; one
    that cannot be written, as on a full disk, is removed. Where no frame was written, no file stays.

    The folder must exist; ``rate``, frames per second, says how many bits the overlay gets.

    Attributes:
        num_frames: Frames written.
        problems: One message for an overlay that could not be written.

    Raises:
        OSError: If a file cannot be written.
    """

    def __init__(
        self, folder: Path, name: str, *, rate: float, with_overlay: bool = True, skeleton: Skeleton = MPII_SKELETON
    ) -> None:
        self.num_frames = 0
        self.problems: list[str] = []
        self._skeleton = skeleton
        self._rate = rate
        self._first_seconds = self._last_seconds = 0.0
        self._overlay: OverlayVideo | None = None
        self._lock = Lock()  # an impatient Ctrl-C may close the files while a frame is being written
        self.overlay_path = folder / f"{name}_pose.mp4" if with_overlay else None
        self.lines_path = folder / f"{name}_pose.jsonl"
        self.table_path = folder / f"{name}_pose.csv"
        self._table = self.table_path.open("w", encoding="utf-8", newline="")
        self._lines = self.lines_path.open("w", encoding="utf-8")
        self._rows = csv.writer(self._table, lineterminator="\n")
        self._rows.writerow(CSV_HEADER)

    def __enter__(self) -> "VideoResults":
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            if self._overlay is not None:
                with self._overlay_or_none():
                    self._overlay.close()
            for file in (self._table, self._lines):
                with suppress(OSError):  # of a full disk, which was raised when it was written to
                    file.close()
            if not self.num_frames:
                for path in self.files:
                    path.unlink(missing_ok=True)

    @property
    def files(self) -> tuple[Path, ...]:
        """What is written."""
        return tuple(path for path in (self.overlay_path, self.lines_path, self.table_path) if path is not None)

    @property
    def mean_rate(self) -> float:
        """Frames written per second of the recording; infinite for fewer than two."""
        seconds = self._last_seconds - self._first_seconds
        return (self.num_frames - 1) / seconds if seconds > 0 else math.inf

    def write(self, frame: Frame, poses: tuple[Pose, ...]) -> None:
        """Write one frame.

        Raises:
            OSError: If JSON lines or CSV cannot be written.
            ValueError: If the frame's size is not the first one's.
        """
        with self._lock:
            self._write_numbers(frame, poses)
            self._write_overlay(frame, poses)
            self._first_seconds = self._first_seconds if self.num_frames else frame.seconds
            self._last_seconds = frame.seconds
            self.num_frames += 1

    def _write_numbers(self, frame: Frame, poses: tuple[Pose, ...]) -> None:
        seconds = round(frame.seconds, 9)
        height, width = frame.image.shape[:2]
        instances = []
        rows: list[tuple[object, ...]] = []
        for person, pose in enumerate(poses):
            keypoints = [[round(float(value), 4) for value in keypoint] for keypoint in pose.keypoints]
            instance = {"bbox": [round(float(value), 3) for value in pose.bbox], "keypoints": keypoints}
            if pose.peaks is not None:
                found = ([peak for peak in others if np.isfinite(peak).all()] for others in pose.peaks[:, 1:])
                instance["other_peaks"] = [[peak.round(4).tolist() for peak in others] for others in found]
            instances.append(instance)
            rows.extend(
                (frame.number, seconds, person, name, *keypoint)
                for name, keypoint in zip(self._skeleton.keypoint_names, keypoints, strict=True)
            )
        line = {"frame": frame.number, "seconds": seconds, "width": width, "height": height, "instances": instances}
        if self._skeleton != MPII_SKELETON:
            line |= {"keypoint_names": self._skeleton.keypoint_names, "skeleton": self._skeleton.limbs}
        with _naming(self.lines_path):
            self._lines.write(f"{json.dumps(line)}\n")
            self._lines.flush()
        with _naming(self.table_path):
            self._rows.writerows(rows)
            self._table.flush()

    def _write_overlay(self, frame: Frame, poses: tuple[Pose, ...]) -> None:
        if self.overlay_path is None:
            return
        size = (frame.image.shape[1], frame.image.shape[0])
        if self._overlay is not None and self._overlay.size != size:
            raise ValueError(f"{self.overlay_path}: the video's frames change in size, to {size[0]} x {size[1]} pixels")
        with self._overlay_or_none():
            if self._overlay is None:
                self._overlay = OverlayVideo(self.overlay_path, rate=self._rate, size=size)
            self._overlay.write(draw_poses(frame.image, poses, skeleton=self._skeleton), seconds=frame.seconds)

    @contextmanager
    def _overlay_or_none(self) -> Iterator[None]:
        """Go on without an overlay that cannot be written."""
        try:
            yield
        except OSError as error:
            self.problems.append(
                f"{self.overlay_path}: the overlay cannot be written ({error.strerror}) and is removed; the poses are "
                f"in {self.lines_path}"
            )
            if self._overlay is not None:
                with suppress(OSError):
                    self._overlay.close()
            if self.overlay_path is not None:
                self.overlay_path.unlink(missing_ok=True)
            self._overlay = self.overlay_path = None
