"""Write what was found in a video, frame by frame as it comes: overlay video, JSON lines and CSV."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

import cv2
import numpy as np

from efficientpose.core.drawing import draw_poses
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import MPII_SKELETON, Skeleton
from efficientpose.video.reading import Frame


class OverlayPace:
    """Says how often each picture of a camera is written, so that the video plays in real time.

    A picture is written again while the next is a frame late or more, and not at all where the next is a whole frame
    early; smaller differences are left alone, so that a camera's usual jitter neither doubles nor drops pictures.

    Args:
        rate: Frames per second of the video that is written.
    """

    def __init__(self, *, rate: float) -> None:
        self._rate = rate
        self._start: float | None = None
        self._num_written = 0

    def count_until(self, seconds: float) -> int:
        """Return how often the picture before one of this time is written, that is 0 for the first.

        Args:
            seconds: When the picture was taken; no earlier than the one before.
        """
        if self._start is None:
            self._start = seconds
            return 0
        late = (seconds - self._start) * self._rate - (self._num_written + 1)
        count = 1 + int(late) if late > -1 else 0
        self._num_written += count
        return count


CSV_HEADER: Final = ("frame", "seconds", "person", "keypoint", "x", "y", "score")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors of writing to it, which do not say it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


class VideoResults:
    """The files of one video, open for writing; use it in a ``with`` block.

    - ``<name>_pose.jsonl``: one line a frame with ``frame``, ``seconds`` and ``instances``, each a ``bbox`` and
      ``keypoints`` [x, y, score]: sixteen in MPII order, or another skeleton's, whose ``keypoint_names`` and
      ``skeleton`` (limbs) each line then has as well.
    - ``<name>_pose.csv``: one line a keypoint: frame, seconds, person (from 0), keypoint, x, y, score.
    - ``<name>_pose.mp4``: the video with skeletons, each frame once, at the mean frame rate; the timestamps are in the
      other two. In real time, pictures are repeated or left out instead, so that it lasts as long as the recording. Of
      odd sides the last row or column is there twice.

    Each line is on disk when its frame is done. The overlay becomes readable when it is closed, also after an error;
    one that does not, as on a full disk, is removed. Where no frame was written, no file stays.

    Args:
        folder: Where they go; it must exist.
        name: What they are called.
        rate: Frames per second of the overlay.
        with_overlay: Whether the overlay is written.
        in_real_time: Whether the overlay follows the frames' times, as for a camera, whose frames the network may miss.
            A file of variable rate does without, because the overlay is there to look at every frame.
        skeleton: Of the poses.

    Attributes:
        num_frames: Frames written.
        problems: One message for what could not be written although nothing said so at once, filled at the end.

    Raises:
        OSError: If a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        rate: float,
        with_overlay: bool = True,
        in_real_time: bool = False,
        skeleton: Skeleton = MPII_SKELETON,
    ) -> None:
        self.num_frames = 0
        self.problems: list[str] = []
        self._skeleton = skeleton
        self.overlay_path = folder / f"{name}_pose.mp4" if with_overlay else None
        self._rate = rate
        self._pace = OverlayPace(rate=rate) if in_real_time else None
        self._waiting: np.ndarray | None = None
        self._first_seconds = self._last_seconds = 0.0
        self._overlay: cv2.VideoWriter | None = None
        self._overlay_size: tuple[int, int] | None = None
        self.lines_path = folder / f"{name}_pose.jsonl"
        self.table_path = folder / f"{name}_pose.csv"
        self._lines = self.lines_path.open("w", encoding="utf-8")
        try:
            self._table = self.table_path.open("w", encoding="utf-8", newline="")
        except OSError:
            self._lines.close()
            raise
        self._rows = csv.writer(self._table, lineterminator="\n")
        self._rows.writerow(CSV_HEADER)

    def __enter__(self) -> "VideoResults":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._overlay is not None:
            if self._waiting is not None:
                self._overlay.write(self._waiting)
            self._overlay.release()
            self._check_overlay()
        for file in (self._table, self._lines):
            with suppress(OSError):  # of what is left in a buffer when the disk is full, which was raised when written
                file.close()
        if not self.num_frames:
            for path in self.files:
                path.unlink(missing_ok=True)

    @property
    def files(self) -> tuple[Path, ...]:
        """What is written."""
        overlay = () if self.overlay_path is None else (self.overlay_path,)
        return (*overlay, self.lines_path, self.table_path)

    @property
    def answered_rate(self) -> float | None:
        """Frames written per second of the recording; None where their times do not say."""
        seconds = self._last_seconds - self._first_seconds
        return (self.num_frames - 1) / seconds if seconds > 0 else None

    def write(self, frame: Frame, poses: tuple[Pose, ...]) -> None:
        """Write one frame.

        Raises:
            OSError: If a file cannot be written.
            ValueError: If the frame's size is not the first one's.
        """
        seconds = round(frame.seconds, 6)
        instances = []
        rows: list[tuple[object, ...]] = []
        for person, pose in enumerate(poses):
            keypoints = [[round(float(value), 4) for value in keypoint] for keypoint in pose.keypoints]
            instances.append({"bbox": [round(float(value), 3) for value in pose.bbox], "keypoints": keypoints})
            rows.extend(
                (frame.number, seconds, person, name, *keypoint)
                for name, keypoint in zip(self._skeleton.keypoint_names, keypoints, strict=True)
            )
        line = {"frame": frame.number, "seconds": seconds, "instances": instances}
        if self._skeleton != MPII_SKELETON:
            line |= {"keypoint_names": self._skeleton.keypoint_names, "skeleton": self._skeleton.limbs}
        with _naming(self.lines_path):
            self._lines.write(f"{json.dumps(line)}\n")
            self._lines.flush()
        with _naming(self.table_path):
            self._rows.writerows(rows)
            self._table.flush()
        if self.overlay_path is not None:
            self._write_overlay(draw_poses(frame.image, poses, skeleton=self._skeleton), seconds=frame.seconds)
        self._first_seconds = self._first_seconds if self.num_frames else frame.seconds
        self._last_seconds = frame.seconds
        self.num_frames += 1

    def _write_overlay(self, picture: np.ndarray, *, seconds: float) -> None:
        height, width = picture.shape[:2]
        if height % 2 or width % 2:  # the codec has even sides only, and OpenCV would cut the last row or column off
            picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            height, width = picture.shape[:2]
        if self._overlay is None:
            mp4v = cv2.VideoWriter.fourcc(*"mp4v")
            self._overlay_size = (width, height)
            self._overlay = cv2.VideoWriter(str(self.overlay_path), mp4v, self._rate, self._overlay_size)
            if not self._overlay.isOpened():
                raise OSError(f"{self.overlay_path}: OpenCV cannot write a video of {width} x {height} pixels here")
        if self._overlay_size != (width, height):
            raise ValueError(f"{self.overlay_path}: the video's frames change in size, to {width} x {height} pixels")
        if self._pace is None:
            self._overlay.write(picture)
            return
        count = self._pace.count_until(seconds)
        if self._waiting is not None:
            for _ in range(count):
                self._overlay.write(self._waiting)
        self._waiting = picture

    def _check_overlay(self) -> None:
        """Read the overlay, because OpenCV says nothing where the disk is full."""
        video = cv2.VideoCapture(str(self.overlay_path))
        is_readable = video.isOpened() and video.grab()
        video.release()
        if self.overlay_path is not None and not is_readable:
            self.problems.append(
                f"{self.overlay_path}: the overlay did not get whole to the disk, which may be full, and is removed; "
                f"the poses are in {self.lines_path}"
            )
            self.overlay_path.unlink(missing_ok=True)
            self.overlay_path = None
