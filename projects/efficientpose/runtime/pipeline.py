"""Poses in a video: reading, inference and writing at the same time, in order, with a bounded number of frames between.

The network runs in the calling thread, so that Ctrl-C reaches it; one thread reads ahead and one writes behind.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from efficientpose.runtime.boxes import Boxes
from efficientpose.runtime.channel import Channel, ChannelClosedError
from efficientpose.runtime.predictions import Estimator, Pose
from efficientpose.runtime.video import Frame

FRAMES_BETWEEN: Final = 8
"""Frames that wait for the network, and that wait to be written, at most."""


class FrameSink(Protocol):
    """Where frames and their poses go."""

    def write(self, frame: Frame, poses: tuple[Pose, ...]) -> None:
        """Take one frame."""
        ...


class _Found(NamedTuple):
    frame: Frame
    poses: tuple[Pose, ...]


class _Worker(threading.Thread):
    """A thread that keeps the error it ended with."""

    def __init__(self, work: Callable[[], None], *, name: str) -> None:
        super().__init__(name=name)
        self._work = work
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._work()
        except ChannelClosedError:
            return  # the other side stopped first, and has the reason
        except BaseException as error:
            self.error = error  # whatever it is, the calling thread raises it


def run_pipeline(
    frames: Iterable[Frame],
    estimator: Estimator,
    sink: FrameSink,
    *,
    boxes: Boxes | None = None,
    frames_between: int = FRAMES_BETWEEN,
    on_frame_done: Callable[[], None] = lambda: None,
) -> int:
    """Find the poses in every frame; every frame that was read is written, once and in order.

    Whatever stops it, an error or Ctrl-C, the frames that the network has answered are written before it is raised.

    Args:
        frames: A video; read in a thread of its own.
        estimator: The network; runs in the calling thread.
        sink: Where results go; written in a thread of its own.
        boxes: People in every frame, (N, 4) x1, y1, x2, y2 in pixels; None leaves it to the estimator.
        frames_between: Frames that wait for the network, and that wait to be written, at most.
        on_frame_done: Called from the writing thread after each frame.

    Returns:
        How many frames the network answered.

    Raises:
        VideoError: If the video cannot be read any further.
        ValueError: If the estimator cannot use a frame.
        OSError: If results cannot be written.
    """
    waiting: Channel[Frame] = Channel(size=frames_between)
    found: Channel[_Found] = Channel(size=frames_between)

    def read() -> None:
        try:
            for frame in frames:
                waiting.put(frame)
        finally:
            waiting.end()

    def write() -> None:
        try:
            for frame, poses in found:
                sink.write(frame, poses)
                on_frame_done()
        finally:
            found.abandon()

    reader, writer = _Worker(read, name="read video"), _Worker(write, name="write video")
    reader.start()
    writer.start()
    num_frames = 0
    try:
        with suppress(ChannelClosedError):  # the writer stopped; its error is raised below
            for frame in waiting:
                found.put(_Found(frame, estimator.predict(frame.image, boxes)))
                num_frames += 1
    finally:
        waiting.abandon()
        found.end()
        writer.join()
        reader.join()
    for worker in (writer, reader):
        if worker.error is not None:
            raise worker.error
    return num_frames
