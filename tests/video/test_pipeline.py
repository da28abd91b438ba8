"""Frames in are frames out, in order, few at a time, whatever stops it; and the network comes first."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import cv2
import numpy as np
import pytest

from efficientpose.core.poses import Pose
from efficientpose.video import pipeline
from efficientpose.video.reading import Frame, VideoError


def run_pipeline(frames, estimator, sink, *, on_frame_done=lambda frame, poses: None, **settings):
    def write(frame, poses):
        sink.write(frame, poses)
        on_frame_done(frame, poses)

    return pipeline.run_pipeline(frames, estimator, write, **settings)


class Network:
    """Answers each frame with its first pixel as a score, as fast as it is told; may stop at a frame."""

    name = "network"

    def __init__(self, *, seconds=0.0, stop_at=None, error=None):
        self.seconds = seconds
        self.stop_at = stop_at
        self.error = error
        self.num_seen = 0
        self.boxes = []

    def predict(self, image, boxes=None):
        if self.num_seen == self.stop_at:
            raise self.error
        self.num_seen += 1
        self.boxes.append(boxes)
        time.sleep(self.seconds)
        return (Pose(bbox=np.zeros(4), keypoints=np.full((16, 3), float(image[0, 0, 0]))),)


class Sink:
    """Keeps what it is given, as slowly as it is told; may fail at a frame."""

    def __init__(self, *, seconds=0.0, fail_at=None):
        self.seconds = seconds
        self.fail_at = fail_at
        self.written = []

    def write(self, frame, poses):
        if len(self.written) == self.fail_at:
            raise OSError(28, "No space left on device")
        time.sleep(self.seconds)
        assert poses[0].keypoints[0, 0] == frame.number % 256
        self.written.append(frame.number)


class Video:
    """Gives numbered frames, and counts them."""

    def __init__(self, num_frames, *, error=None):
        self.num_frames = num_frames
        self.error = error
        self.num_read = 0

    def __iter__(self):
        for number in range(self.num_frames):
            self.num_read += 1
            yield Frame(number, number / 10, np.full((8, 8, 3), number % 256, np.uint8))
        if self.error:
            raise self.error


@pytest.mark.parametrize("slow", ["nothing", "network", "sink"])
@pytest.mark.parametrize("frames_between", [1, 8])
def test_every_frame_is_written_once_in_order(slow, frames_between):
    network = Network(seconds=0.002 * (slow == "network"))
    sink = Sink(seconds=0.002 * (slow == "sink"))
    done = []
    num_frames = run_pipeline(
        Video(100),
        network,
        sink,
        frames_between=frames_between,
        on_frame_done=lambda frame, poses: done.append(frame.number),
    )
    assert num_frames == 100
    assert done == list(range(100))
    assert sink.written == list(range(100))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("read video", "write video"))]


def test_boxes_go_to_every_frame():
    network = Network()
    run_pipeline(Video(3), network, Sink(), boxes=[[0, 0, 5, 5]])
    assert network.boxes == [[[0, 0, 5, 5]]] * 3


def test_few_frames_wait_at_a_time():
    video, network, sink = Video(200), Network(), Sink(seconds=0.002)
    most = []

    def look(frame, poses):
        most.append(video.num_read - len(sink.written))

    run_pipeline(video, network, sink, frames_between=4, on_frame_done=look)
    # Four before the network and four behind it; one in the hands of each of the three.
    assert max(most) <= 4 + 4 + 3
    assert len(most) == 200


def test_reading_inference_and_writing_overlap():
    seconds = 0.01

    class SlowVideo(Video):
        def __iter__(self):
            for frame in super().__iter__():
                time.sleep(seconds)
                yield frame

    start = time.perf_counter()
    run_pipeline(SlowVideo(30), Network(seconds=seconds), Sink(seconds=seconds))
    assert time.perf_counter() - start < 2.7 * 30 * seconds  # one after the other takes 3


class StepwiseNetwork:
    """Answers as Network does, in three steps; keeps the thread of each."""

    name = "network"
    predict = predict_maps = None

    def __init__(self, *, unusable=None):
        self.unusable = unusable
        self.threads = {"prepare": set(), "infer": set(), "finish": set()}

    def note(self, step):
        self.threads[step].add(threading.current_thread().name.removesuffix("_0"))

    def prepare(self, image, boxes=None):
        self.note("prepare")
        number = float(image[0, 0, 0])
        if number == self.unusable:
            raise ValueError("this frame cannot be used")
        return number, boxes

    def infer(self, prepared):
        self.note("infer")
        return prepared[0] + 100

    def finish(self, prepared, answer):
        self.note("finish")
        assert answer == prepared[0] + 100
        return (Pose(bbox=np.array(prepared[1][0]), keypoints=np.full((16, 3), answer - 100)),)


def test_steps_run_beside_reading_and_writing():
    network, sink = StepwiseNetwork(), Sink()
    assert run_pipeline(Video(50), network, sink, boxes=[[0, 0, 5, 5]]) == 50
    assert sink.written == list(range(50))
    assert network.threads == {
        "prepare": {"read video"},
        "infer": {threading.current_thread().name},
        "finish": {"write video"},
    }


def test_a_frame_that_cannot_be_prepared_stops_behind_those_before_it():
    sink = Sink()
    with pytest.raises(ValueError, match="this frame cannot be used"):
        run_pipeline(Video(50), StepwiseNetwork(unusable=23), sink, boxes=[[0, 0, 5, 5]])
    assert sink.written == list(range(23))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no such box")])
def test_what_was_answered_is_written_before_the_stop(error):
    sink = Sink(seconds=0.002)
    video = Video(10_000)
    with pytest.raises(type(error)):
        run_pipeline(video, Network(stop_at=37, error=error), sink)
    assert sink.written == list(range(37))
    assert video.num_read < 60


def test_a_video_that_breaks_off_is_told_after_its_frames():
    sink = Sink(seconds=0.001)
    with pytest.raises(VideoError, match="gone"):
        run_pipeline(Video(20, error=VideoError("gone")), Network(), sink)
    assert sink.written == list(range(20))


def test_a_full_disk_stops_everything():
    sink = Sink(fail_at=5)
    video = Video(10_000)
    with pytest.raises(OSError, match="No space left"):
        run_pipeline(video, Network(), sink)
    assert sink.written == list(range(5))
    assert video.num_read < 100


def test_a_second_ctrl_c_does_not_leave_the_writer_behind():
    class ImpatientSink(Sink):
        def write(self, frame, poses):
            super().write(frame, poses)
            if len(self.written) in (1, 3):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # at work, then as it waits

    sink, network = ImpatientSink(seconds=0.05), Network()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_pipeline(Video(10_000), network, sink)
    finally:
        signal.signal(signal.SIGINT, before)
    num_written = len(sink.written)
    time.sleep(0.2)
    assert len(sink.written) == num_written, "it is still writing"
    assert 3 < num_written < 30
    assert sink.written == list(range(num_written))
    assert network.num_seen - num_written in (0, 1)  # the one whose answer the first Ctrl-C met


IMAGE = np.zeros((8, 8, 3), np.uint8)


class Nobody:
    """An estimator that finds nobody, and a sink that keeps the frames' numbers."""

    name = "nobody"

    def __init__(self):
        self.written = []

    def predict(self, image, boxes=None):
        return ()

    def write(self, frame, poses):
        self.written.append(frame.number)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_reading_and_writing_give_way_to_the_network_alone():
    seen = {}

    def note(name):
        seen[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def read():
        note("read")
        yield Frame(0, 0.0, IMAGE)

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    run_pipeline(read(), Nobody(), Nobody(), on_frame_done=lambda *_: note("write"))
    note("network")

    assert seen == {"read": min(before + 10, 19), "write": min(before + 10, 19), "network": before}


def test_where_priorities_may_not_be_changed_the_video_is_done_all_the_same(monkeypatch):
    asked = []

    def refuse(*arguments):
        asked.append(arguments)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    sink = Nobody()
    frames = (Frame(number, number / 10, IMAGE) for number in range(20))
    assert run_pipeline(frames, Nobody(), sink) == 20
    assert sink.written == list(range(20))
    assert len(asked) == (2 if sys.platform == "linux" else 0)


def share_work_while_reading(stop=False):
    cv2.cvtColor(np.zeros((1024, 1024, 3), np.uint8), cv2.COLOR_BGR2HSV)  # shared out among OpenCV's threads
    yield Frame(0, 0.0, IMAGE)
    if stop:
        raise VideoError("it breaks off")


@pytest.mark.parametrize("stop", [False, True])
def test_opencv_shares_no_work_out_during_a_video_and_does_so_again_afterwards(stop):
    before = cv2.getNumThreads()
    seen = []

    def read():
        for frame in share_work_while_reading(stop):
            seen.append(cv2.getNumThreads())
            yield frame

    try:
        cv2.setNumThreads(3)
        with pytest.raises(VideoError) if stop else nullcontext():
            run_pipeline(read(), Nobody(), Nobody(), on_frame_done=lambda *_: seen.append(cv2.getNumThreads()))
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
    assert seen == [1, 1]


NICENESS_OF_OPENCV = """
import os, threading, time
import cv2, numpy as np
from efficientpose.video.pipeline import run_pipeline
from efficientpose.video.reading import Frame

class Nobody:
    name = "nobody"

    def predict(self, image, boxes=None):
        return ()

    def write(self, frame, poses):
        pass

def read():
    image = np.zeros((1024, 1024, 3), np.uint8)
    cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    yield Frame(0, 0.0, image)

cv2.setNumThreads(3)
others = set(os.listdir("/proc/self/task"))
run_pipeline(read(), Nobody(), Nobody().write)
time.sleep(0.5)  # the system needs a moment to end threads
cv2.cvtColor(np.zeros((1024, 1024, 3), np.uint8), cv2.COLOR_BGR2HSV)
print(*(os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in set(os.listdir("/proc/self/task")) - others))
print(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_opencv_s_own_threads_do_not_give_way_for_good():
    command = [sys.executable, "-c", NICENESS_OF_OPENCV]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    of_opencv, of_caller = ([int(number) for number in line.split()] for line in lines)
    assert len(of_opencv) == 2, "OpenCV shares its work with threads of its own"
    assert set(of_opencv) == set(of_caller)
