"""While a video runs, the network comes first: reading, writing and OpenCV leave it its core."""

import os
import subprocess
import sys
import threading
from contextlib import nullcontext

import cv2
import numpy as np
import pytest

from efficientpose.video.pipeline import run_pipeline
from efficientpose.video.reading import Frame, VideoError

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
    run_pipeline(read(), Nobody(), Nobody(), on_frame_done=lambda: note("write"))
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
            run_pipeline(read(), Nobody(), Nobody(), on_frame_done=lambda: seen.append(cv2.getNumThreads()))
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
run_pipeline(read(), Nobody(), Nobody())
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
