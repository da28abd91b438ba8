"""What a video or camera that answers as prepared becomes: numbers, times, gaps passed, ends and messages."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from efficientpose.video import reading as video_module
from efficientpose.video.reading import MAX_FAILURES, Container, VideoError, VideoSource


class FakeClock:
    """Stands still but for sleep, and for a little at every look."""

    def __init__(self, *, seconds_per_look=0.0):
        self.now = 1000.0
        self.seconds_per_look = seconds_per_look
        self.slept = []

    def monotonic(self):
        self.now += self.seconds_per_look
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(video_module, "time", clock)
    return clock


class FakeCapture:
    """Plays prepared answers: a time in milliseconds for each frame that can be read, None for one that cannot."""

    def __init__(self, answers, *, rate=10.0, num_frames=0):
        self.answers: Iterator = iter(answers)
        self.now = None
        self.properties = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: num_frames}
        self.released = False
        self.num_grabs = 0

    def grab(self):
        self.now = next(self.answers, None)
        self.num_grabs += 1
        return self.now is not None

    def retrieve(self):
        return True, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop):
        return self.now if prop == cv2.CAP_PROP_POS_MSEC else self.properties[prop]

    def release(self):
        self.released = True


def play(answers, *, is_camera=False, container=None, **properties):
    capture = FakeCapture(answers, **properties)
    source = VideoSource(capture, title="a.mp4", name="a", is_camera=is_camera, container=container)
    with source:
        return list(source), source


def test_a_video_without_frames_is_an_error():
    with pytest.raises(VideoError, match=r"a\.mp4: it gives no pictures"):
        play([])


def test_numbers_and_messages_of_damaged_frames():
    frames, source = play([0, None, 200, 300, None, None, 600], num_frames=7)
    assert [frame.number for frame in frames] == [0, 2, 3, 6]
    assert [frame.seconds for frame in frames] == [0, 0.2, 0.3, 0.6]
    assert source.problems == ["a.mp4: frame 1 is damaged, skipped", "a.mp4: frames 4 to 5 are damaged, skipped"]


@pytest.mark.parametrize("gap", [MAX_FAILURES + 1, 2500])
def test_a_gap_of_any_length_is_passed_where_the_header_promises_more(gap):
    times = [0, 100, *[None] * gap, 100 * (gap + 2)]
    frames, source = play(times, num_frames=gap + 3)
    assert [frame.number for frame in frames] == [0, 1, gap + 2]
    assert frames[-1].seconds == pytest.approx((gap + 2) / 10)
    assert source.problems == [f"a.mp4: frames 2 to {gap + 1} are damaged, skipped"]


@pytest.mark.parametrize(
    ("num_frames", "num_grabs"),
    [(0, 5 + MAX_FAILURES), (3, 5 + MAX_FAILURES), (5, 5 + MAX_FAILURES), (3000, 3000 + MAX_FAILURES)],
)
def test_reading_ends_a_hundred_reads_beyond_what_is_promised(num_frames, num_grabs):
    frames, source = play([0, 100, 200, 300, 400], num_frames=num_frames)
    assert len(frames) == 5
    assert source._capture.num_grabs == num_grabs


def test_a_header_that_promises_too_much_holds_nothing_up(clock):
    clock.seconds_per_look = 0.001
    frames, source = play([0, 100], num_frames=900_000_000)
    assert len(frames) == 2
    assert source._capture.num_grabs == pytest.approx(video_module.FILE_PATIENCE / 0.001, rel=0.01)
    (problem,) = source.problems
    assert "it ends after frame 1, at 0.10 s of 90000000.00 s" in problem


def test_frames_that_are_lost_without_a_trace_are_counted():
    times = [100 * number for number in range(100) if not 40 <= number < 50]
    frames, source = play(times, num_frames=100)
    assert len(frames) == 90
    assert source.problems == ["a.mp4: 90 of 100 frames can be read, the others are damaged"]


def test_frames_that_a_container_passes_over_are_named():
    times = [100 * number for number in range(100) if not 40 <= number < 50 and number != 70]
    frames, source = play(times, num_frames=100, container=Container(may_skip=True))
    assert [round(10 * frame.seconds) for frame in frames] == [frame.number for frame in frames]
    assert source.problems == ["a.mp4: frames 40 to 49 are missing, skipped", "a.mp4: frame 70 is missing, skipped"]


def test_a_read_that_drops_several_frames_is_told_in_one_message():
    times = [*range(0, 2000, 100), None, None, 2500, 2600]
    frames, source = play(times, num_frames=27)
    assert [frame.number for frame in frames] == [*range(20), 25, 26]
    assert source.problems == ["a.mp4: frames 20 to 24 are damaged, skipped"]


def test_a_time_that_is_not_said_counts_the_damaged_frames_too():
    frames, _ = play([0, 100, None, 100, 400], num_frames=5)
    assert [frame.number for frame in frames] == [0, 1, 3, 4]
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.1, 0.3, 0.4])


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0, 0], [0, 0.1, 0.2]),
        ([-5, -5], [0, 0.1]),
        ([0, 100, 50, 300], [0, 0.1, 0.2, 0.3]),
        ([float("nan")] * 2, [0, 0.1]),
        ([500, 600], [0.5, 0.6]),
    ],
)
def test_times_that_a_video_does_not_say_are_counted(times, expected):
    frames, _ = play(times)
    np.testing.assert_allclose([frame.seconds for frame in frames], expected)


@pytest.mark.parametrize(("rate", "expected"), [(0, 30), (float("nan"), 30), (90_000, 30), (12.5, 12.5)])
def test_a_rate_that_cannot_be_is_taken_as_30(rate, expected):
    assert play([0, 1], rate=rate)[1].rate == expected


def play_camera(answers):
    """Play until it disappears; return frames, problems and the error."""
    source = VideoSource(FakeCapture(answers), title="camera 0", name="camera0", is_camera=True)
    frames = []
    with source, pytest.raises(VideoError) as caught:
        frames.extend(frame for frame in source)
    assert source.num_frames is None
    return frames, source.problems, str(caught.value)


def test_a_camera_that_disappears_is_an_error_after_its_frames(clock):
    frames, problems, error = play_camera([0, 0, 0])
    assert len(frames) == 3
    assert problems == []
    assert error == "camera 0: no picture after frame 2: was it unplugged or taken away?"
    assert sum(clock.slept) == pytest.approx(video_module.CAMERA_PATIENCE, abs=0.05)
    assert max(clock.slept) <= 0.05


def test_a_camera_that_never_gives_a_picture_is_an_error(clock):
    assert play_camera([]) == ([], [], "camera 0: it gives no pictures")
    assert sum(clock.slept) == pytest.approx(video_module.CAMERA_PATIENCE, abs=0.05)


def test_a_camera_that_pauses_goes_on(clock):
    frames, problems, _ = play_camera([0, 0, None, 0, *[None] * 40, 0])
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0, 0.02, 0.82])
    assert problems == ["camera 0: it paused 2 times, 0.8 s in all, and went on"]


def test_a_camera_s_time_is_the_clock_since_its_first_frame():
    source = VideoSource(FakeCapture([9e9] * 3), title="camera 0", name="camera0", is_camera=True)
    iterator = iter(source)
    times = [next(iterator).seconds for _ in range(3)]
    assert times[0] == 0
    assert times == sorted(times)
    assert times[-1] < 5


def test_the_video_is_closed():
    source = play([0])[1]
    assert source._capture.released
