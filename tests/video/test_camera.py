"""Cameras: frames until they are gone or Ctrl-C comes, with an overlay that plays in real time."""

import json

import av
import cv2
import numpy as np
import pytest

from efficientpose.video import camera as camera_module
from efficientpose.video.camera import PATIENCE, Camera
from efficientpose.video.prediction import predict_video
from efficientpose.video.reading import VideoError


class FakeCapture:
    """A camera and the clock: gives an image at each of these seconds; None stands for a read without image."""

    def __init__(self, times, *, rate=30.0):
        self.times = iter(times)
        self.rate = rate
        self.now = 0.0
        self.slept = 0.0
        self.is_released = False

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds

    def read(self):
        following = next(self.times, None)
        if following is None:
            return False, None
        self.now = max(self.now, following)
        return True, np.zeros((64, 96, 3), np.uint8)

    def get(self, prop):
        return self.rate if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self):
        self.is_released = True


@pytest.fixture
def open_fake(monkeypatch):
    def open_fake(times, **settings):
        capture = FakeCapture(times, **settings)
        monkeypatch.setattr(camera_module, "time", capture)
        return Camera(capture, number=0), capture

    return open_fake


def play(source):
    """Return the frames of a camera until it is gone, and the error."""
    frames = []
    with source, pytest.raises(VideoError) as caught:
        frames.extend(source)
    return frames, str(caught.value)


def test_time_counts_from_the_first_frame(open_fake):
    source, capture = open_fake([5.0, 5.1, 5.3])
    frames, error = play(source)
    assert [frame.number for frame in frames] == [0, 1, 2]
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.1, 0.3])
    assert error == "camera 0: no image after frame 2: was it unplugged or taken away?"
    assert capture.slept == pytest.approx(PATIENCE, abs=0.05)
    assert capture.is_released
    assert source.problems == []


def test_a_camera_that_never_gives_an_image_is_an_error(open_fake):
    source, capture = open_fake([])
    assert play(source) == ([], "camera 0: it gives no images")
    assert capture.slept == pytest.approx(PATIENCE, abs=0.05)


def test_a_camera_that_pauses_goes_on(open_fake):
    source, _ = open_fake([0, 0, None, 0, *[None] * 40, 0])
    frames, _ = play(source)
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0, 0.02, 0.82])
    assert source.problems == ["camera 0: it paused 2 times, 0.8 s in all, and went on"]


@pytest.mark.parametrize(("rate", "expected"), [(0, 30), (float("nan"), 30), (90_000, 30), (12.5, 12.5)])
def test_a_rate_that_cannot_be_is_taken_as_30(open_fake, rate, expected):
    assert open_fake([0], rate=rate)[0].rate == expected


class Network:
    """Finds nobody."""

    name = "network"

    def predict(self, image, boxes=None):
        return ()


NOTE = "camera0: 4.2 of the 30.0 frames a second that it promises"


def overlay_times(path):
    with av.open(path) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("times", "notes"),
    [
        # waiting frames first, then as the network can: 40 frames after the first, within 9.6 s
        (
            [*np.arange(10) / 30, *np.arange(0.6, 9.8, 0.3)],
            (NOTE,),
        ),
        (np.arange(60) / 30, ()),
    ],
)
def test_the_overlay_of_a_camera_plays_in_real_time(open_fake, tmp_path, times, notes):
    result = predict_video(Network(), open_fake(times)[0], tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "camera0_pose.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(len(times)))
    np.testing.assert_allclose([line["seconds"] for line in lines], times, atol=1e-6)
    np.testing.assert_allclose(overlay_times(tmp_path / "camera0_pose.mp4"), times, atol=1e-4)
    assert result.notes == notes
