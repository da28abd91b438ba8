"""Poses in a video: reading, inference and writing at the same time, in order, with a bounded number of frames between.

The network runs in the calling thread, so that Ctrl-C reaches it; one thread reads ahead and one writes behind. Where
an estimator's work comes in steps, the reading thread cuts the people out and the writing thread finds the peaks. Both
give way to the network, which sets the pace.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

import cv2

from efficientpose.core.boxes import Boxes
from efficientpose.core.poses import Estimator, Pose, StagedEstimator
from efficientpose.video.reading import Frame

FRAMES_BETWEEN: Final = 8
NICENESS: Final = 10
"""By how much reading and writing give way. On two cores RT's videos ran at 0.78 of its own rate without, 0.87 with."""


def run_pipeline(
    frames: Iterable[Frame],
    estimator: Estimator,
    write: Callable[[Frame, tuple[Pose, ...]], None],
    *,
    boxes: Boxes | None = None,
    frames_between: int = FRAMES_BETWEEN,
) -> int:
    """Find the poses in every frame, written once and in order; return how many frames went through the network.

    Whatever stops it, an error or Ctrl-C, the frames that the network is done with are written before it is raised.

    Args:
        frames: A video; read in a thread of its own.
        estimator: The network; it runs in the calling thread, and with it the whole estimator unless it is a
            :class:`~efficientpose.core.poses.StagedEstimator`.
        write: Takes each frame and its poses, in a thread of its own.
        boxes: People in every frame, (N, 4) x1, y1, x2, y2 in pixels; None leaves it to the estimator.
        frames_between: Frames that wait for the network, and that wait to be written, at most.

    Raises:
        VideoError: If the video cannot be read any further.
        ValueError: If the estimator cannot use a frame.
        OSError: If results cannot be written.
    """
    unread = iter(frames)
    staged = estimator if isinstance(estimator, StagedEstimator) else None

    def read() -> tuple[Frame, Any] | None:
        if (frame := next(unread, None)) is None:
            return None
        return frame, staged.prepare(frame.image, boxes) if staged else None

    def infer(frame: Frame, prepared: Any) -> Any:
        return staged.infer(prepared) if staged else estimator.predict(frame.image, boxes)

    def finish(frame: Frame, prepared: Any, output: Any, *, before: Future | None) -> None:
        if before is not None:
            before.result()  # it is done; after an error nothing more is written
        write(frame, staged.finish(prepared, output) if staged else output)

    num_frames = 0
    written: Future | None = None
    with _opencv_in_one_thread(), _thread("write video") as writer, _thread("read video") as reader:
        reading = deque(reader.submit(read) for _ in range(frames_between))
        writing: deque[Future] = deque()
        try:
            while (item := reading.popleft().result()) is not None:
                reading.append(reader.submit(read))
                output = infer(*item)
                written = writer.submit(finish, *item, output, before=written)
                writing.append(written)
                num_frames += 1
                if len(writing) > frames_between:
                    writing.popleft().result()
        finally:
            reader.shutdown(wait=False, cancel_futures=True)
            for future in writing:
                future.result()
    return num_frames


def _thread(name: str) -> ThreadPoolExecutor:
    """Return a thread that gives way to the network."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name, initializer=_give_way)


def _give_way() -> None:
    """Lower this thread's priority, where the system has one for each thread: without it the network is moved about."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it, and then a video is slower but not wrong
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


@contextmanager
def _opencv_in_one_thread() -> Iterator[None]:
    """Keep OpenCV from sharing work out: its threads, which have no lower priority, would take the network's core."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
