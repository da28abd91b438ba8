"""A camera's overlay lasts as long as the recording, however many frames the network answers."""

import json

import cv2
import numpy as np
import pytest

from efficientpose.video import reading as video_module
from efficientpose.video.prediction import predict_video
from efficientpose.video.reading import VideoSource


class Network:
    """Finds nobody."""

    name = "network"

    def predict(self, image, boxes=None):
        return ()


class TimedCamera:
    """Gives frames at prepared seconds, by a clock that it moves; each shows its number as eight bars."""

    def __init__(self, times):
        self.times = iter(times)
        self.now = 0.0
        self.num_given = 0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def grab(self):
        following = next(self.times, None)
        self.now = self.now if following is None else following
        return following is not None

    def retrieve(self):
        self.num_given += 1
        image = np.zeros((64, 96, 3), np.uint8)
        image[40:] = np.repeat(255 * (self.num_given - 1 >> np.arange(8) & 1), 12)[:, None]
        return True, image

    def get(self, prop):
        return 30.0

    def release(self):
        pass


def read_numbers(path):
    """Return what the frames of a video show."""
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == 30
    numbers = []
    while (answer := capture.read())[0]:
        bars = answer[1][44:60].reshape(16, 8, 12, 3).mean(axis=(0, 2, 3))
        numbers.append(int((bars > 128) @ (1 << np.arange(8))))
    return numbers


def record(times, folder, monkeypatch):
    capture = TimedCamera(times)
    monkeypatch.setattr(video_module, "time", capture)
    source = VideoSource(capture, title="camera 0", name="camera0", is_camera=True)
    return predict_video(Network(), source, folder)


def test_the_overlay_of_a_camera_that_the_network_cannot_follow_plays_in_real_time(tmp_path, monkeypatch):
    times = [*np.arange(10) / 30, *np.arange(0.6, 9.8, 0.3)]  # waiting frames first, then as the network can
    result = record(times, tmp_path, monkeypatch)
    lines = [json.loads(line) for line in (tmp_path / "camera0_pose.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(len(times)))
    np.testing.assert_allclose([line["seconds"] for line in lines], times, atol=1e-6)
    shown = read_numbers(tmp_path / "camera0_pose.mp4")
    num_frames = len(shown)
    assert num_frames / 30 == pytest.approx(times[-1], abs=1.5 / 30)
    assert sorted(set(shown)) == list(range(len(times)))
    age = np.arange(num_frames) / 30 - np.array(times)[shown]
    assert age.min() > -1.5 / 30
    assert age.max() < 0.3 + 1 / 30
    # 40 frames after the first, within 9.6 s.
    assert result.notes == ("camera0: 4.2 of the 30.0 frames a second that it promises were answered",)


def test_the_overlay_of_a_camera_that_the_network_follows_has_each_frame_once(tmp_path, monkeypatch):
    result = record(np.arange(60) / 30, tmp_path, monkeypatch)
    assert read_numbers(tmp_path / "camera0_pose.mp4") == list(range(60))
    assert result.notes == ()
