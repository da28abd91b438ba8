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
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import cv2
import numpy as np

from efficientpose.core.boxes import Boxes
from efficientpose.core.poses import Estimator, Pose, StagedEstimator
from efficientpose.video.reading import Frame

Item = TypeVar("Item")


class ChannelClosedError(Exception):
    """The reading side takes no more."""


class Channel(Generic[Item]):
    """A bounded queue with an end.

    Args:
        size: How many items it holds; a writer waits while it is full.

    Raises:
        ValueError: If it is less than 1.
    """

    def __init__(self, *, size: int) -> None:
        if size < 1:
            raise ValueError(f"a channel holds 1 item or more, not {size}")
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._abandoned = False

    def put(self, item: Item) -> None:
        """Add an item, waiting for room.

        Raises:
            ChannelClosedError: If the reading side has stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size or self._abandoned)
            if self._abandoned:
                raise ChannelClosedError
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing more comes; what is in the channel can still be read."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Stop reading: what is in the channel is dropped and writers are told."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Yield items in the order they were put, waiting for them, until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._abandoned)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


FRAMES_BETWEEN: Final = 8
"""Frames that wait for the network, and that wait to be written, at most."""

NICENESS: Final = 10
"""By how much reading and writing give way. On two cores RT's videos ran at 0.78 of its own rate without, 0.87 with."""


class FrameSink(Protocol):
    """Where frames and their poses go."""

    def write(self, frame: Frame, poses: tuple[Pose, ...]) -> None:
        """Take one frame."""
        ...


class _Waiting(NamedTuple):
    frame: Frame
    prepared: Any


class _Answered(NamedTuple):
    frame: Frame
    prepared: Any
    answer: Any


class _Steps(NamedTuple):
    prepare: Callable[[np.ndarray], Any]
    infer: Callable[[Any], Any]
    finish: Callable[[Any, Any], tuple[Pose, ...]]


def _steps_of(estimator: Estimator, boxes: Boxes | None) -> _Steps:
    """Return the steps of an estimator, one after the other; one that has none does all in the middle one."""
    if isinstance(estimator, StagedEstimator):
        return _Steps(partial(estimator.prepare, boxes=boxes), estimator.infer, estimator.finish)
    return _Steps(
        prepare=lambda image: image,
        infer=lambda image: estimator.predict(image, boxes),
        finish=lambda _, poses: poses,
    )


class _Worker(threading.Thread):
    """A thread that gives way to the one that starts it, and keeps the error it ended with.

    Args:
        work: What it does.
        leave: What it does last, whatever stopped it, so that the others do not wait for it.
        name: Of the thread.
    """

    def __init__(self, work: Callable[[], None], *, leave: Callable[[], None], name: str) -> None:
        super().__init__(name=name)
        self._work = work
        self._leave = leave
        self.error: BaseException | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            _give_way()
            self._work()
        except ChannelClosedError:
            return  # the other side stopped first, and has the reason
        except BaseException as error:
            self.error = error  # whatever it is, the calling thread raises it
        finally:
            self._leave()
            self._ended.set()

    def wait(self) -> None:
        """Wait for the end; a ``join()`` that Ctrl-C interrupts would take the thread for ended."""
        self._ended.wait()


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


def _do_all(steps: Iterable[Callable[[], object]]) -> None:
    """Take steps that may be taken twice, through Ctrl-C too, because files are closed next; then raise that."""
    interrupt = None
    for step in steps:
        done = False
        while not done:
            try:
                step()
                done = True
            except KeyboardInterrupt as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt


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
        estimator: The network; it runs in the calling thread, and with it the whole estimator unless it is a
            :class:`~efficientpose.core.poses.StagedEstimator`.
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
    steps = _steps_of(estimator, boxes)
    waiting: Channel[_Waiting] = Channel(size=frames_between)
    answered: Channel[_Answered] = Channel(size=frames_between)

    def read() -> None:
        for frame in frames:
            waiting.put(_Waiting(frame, steps.prepare(frame.image)))

    def write() -> None:
        for frame, prepared, answer in answered:
            sink.write(frame, steps.finish(prepared, answer))
            on_frame_done()

    reader = _Worker(read, leave=waiting.end, name="read video")
    writer = _Worker(write, leave=answered.abandon, name="write video")
    num_frames = 0
    with _opencv_in_one_thread():
        reader.start()
        writer.start()
        try:
            with suppress(ChannelClosedError):  # the writer stopped; its error is raised below
                for frame, prepared in waiting:
                    answered.put(_Answered(frame, prepared, steps.infer(prepared)))
                    num_frames += 1
        finally:
            _do_all((waiting.abandon, answered.end, writer.wait, reader.wait))
    for worker in (writer, reader):
        if worker.error is not None:
            raise worker.error
    return num_frames
