"""A video becomes an overlay, JSON lines and CSV that can be read, also when it is stopped."""

import csv
import json
import resource
import subprocess
import sys
from contextlib import contextmanager

import av
import cv2
import numpy as np
import pytest

from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.video import camera as camera_module
from efficientpose.video.camera import Camera
from efficientpose.video.prediction import predict_video
from efficientpose.video.reading import Frame, open_video
from efficientpose.video.writing import VideoResults


@pytest.fixture(autouse=True)
def cameras_are_gone_at_once(monkeypatch):
    monkeypatch.setattr(camera_module, "PATIENCE", 0.0)


class Network:
    """Finds the same person in every frame; may be interrupted at one."""

    name = "network"

    def __init__(self, *, stop_at=None, num_people=1):
        self.num_seen = 0
        self.stop_at = stop_at
        self.num_people = num_people

    def predict(self, image, boxes=None):
        if self.num_seen == self.stop_at:
            raise KeyboardInterrupt
        self.num_seen += 1
        keypoints = np.stack((np.arange(16) + 0.25, np.arange(16) + 10.5, np.full(16, 0.875)), axis=1)
        return tuple(Pose(bbox=np.array([0, 0, 96, 64]), keypoints=keypoints + 20 * n) for n in range(self.num_people))


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def count_frames(path):
    capture = cv2.VideoCapture(str(path))
    number = 0
    while capture.grab():
        number += 1
    return number, capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_WIDTH)


def test_frames_in_are_frames_out(make_video, tmp_path):
    result = predict_video(Network(num_people=2), open_video(make_video(num_frames=50, rate=20)), tmp_path)
    overlay, lines_path, table_path = result.files
    assert [path.name for path in result.files] == ["clip_pose.mp4", "clip_pose.jsonl", "clip_pose.csv"]
    assert (result.num_frames, result.errors) == (50, ())
    assert count_frames(overlay) == (50, 20, 96)
    lines = read_lines(lines_path)
    assert [line["frame"] for line in lines] == list(range(50))
    np.testing.assert_allclose([line["seconds"] for line in lines], np.arange(50) / 20, atol=1e-3)
    assert lines[7]["instances"][0]["bbox"] == [0, 0, 96, 64]
    assert lines[7]["instances"][0]["keypoints"][3] == [3.25, 13.5, 0.875]
    with table_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50 * 2 * 16
    expected = ["7", "0.35", "1", KEYPOINT_NAMES[3], "23.25", "33.5", "20.875"]
    assert list(rows[7 * 32 + 16 + 3].values()) == expected
    assert list(rows[0]) == ["frame", "seconds", "person", "keypoint", "x", "y", "score"]


def test_the_overlay_shows_the_frame_and_the_person(make_video, tmp_path):
    video = make_video(num_frames=5)
    predict_video(Network(), open_video(video), tmp_path)
    _, plain = cv2.VideoCapture(str(video)).read()
    _, drawn = cv2.VideoCapture(str(tmp_path / "clip_pose.mp4")).read()
    difference = np.abs(plain.astype(int) - drawn).max(axis=2)
    assert difference[10:27, :17].max() > 60  # where the joints are
    assert np.median(difference[30:, 40:]) < 8


@pytest.mark.parametrize("times", [(0, 0.1, 0.1, 0.100001, 0.3), (0, 0.1, 0.05, 0.3)])
def test_the_overlay_shows_frames_whose_times_do_not_grow(tmp_path, times):
    """A fast camera's clock may stand still between two frames; a damaged video's may go back."""
    with VideoResults(tmp_path, "still", rate=10) as results:
        for number, seconds in enumerate(times):
            results.write(Frame(number, seconds, np.zeros((64, 96, 3), np.uint8)), ())
    assert results.problems == []
    with av.open(results.overlay_path) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(shown, np.maximum.accumulate(times), atol=1e-4)


def test_the_overlay_has_the_video_s_size_and_times(tmp_path):
    """Also where the sides are odd and the rate varies."""
    image = np.zeros((63, 95, 3), np.uint8)
    image[-8:] = image[:, -8:] = 255
    times = [0, 0.1, 0.15, 0.4]
    with VideoResults(tmp_path, "odd", rate=10) as results:
        for number, seconds in enumerate(times):
            results.write(Frame(number, seconds, image), ())
    with av.open(results.overlay_path) as container:
        frames = list(container.decode(video=0))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-4)
    frame = frames[0].to_ndarray(format="bgr24")
    assert frame.shape == (63, 95, 3)
    assert frame[61, 20].min() > 200
    assert frame[20, 93].min() > 200
    assert frame[20, 20].max() < 50
    assert {(line["width"], line["height"]) for line in read_lines(results.lines_path)} == {(95, 63)}


def test_an_interrupted_video_leaves_files_that_can_be_read(make_video, tmp_path):
    source = open_video(make_video(num_frames=60))
    with pytest.raises(KeyboardInterrupt):
        predict_video(Network(stop_at=23), source, tmp_path)
    assert [line["frame"] for line in read_lines(tmp_path / "clip_pose.jsonl")] == list(range(23))
    assert len((tmp_path / "clip_pose.csv").read_text().splitlines()) == 1 + 23 * 16
    assert count_frames(tmp_path / "clip_pose.mp4")[0] == 23


class EndlessCamera:
    def __init__(self, num_frames=None):
        self.left = num_frames

    def read(self):
        self.left = None if self.left is None else self.left - 1
        return self.left is None or self.left >= 0, np.zeros((64, 96, 3), np.uint8)

    def get(self, prop):
        return 30.0

    def release(self):
        pass


def camera(num_frames=None):
    return Camera(EndlessCamera(num_frames), number=0)


def test_an_interrupt_is_a_camera_s_end(tmp_path):
    result = predict_video(Network(stop_at=12), camera(), tmp_path)
    assert (result.num_frames, result.errors) == (12, ())
    assert len(read_lines(tmp_path / "camera0_pose.jsonl")) == 12


def test_a_camera_that_disappears_loses_nothing(tmp_path):
    result = predict_video(Network(), camera(9), tmp_path, with_overlay=False)
    assert result.num_frames == 9
    assert [path.name for path in result.files] == ["camera0_pose.jsonl", "camera0_pose.csv"]
    assert not (tmp_path / "camera0_pose.mp4").exists()
    assert result.errors == ("camera 0: no image after frame 8: was it unplugged or taken away?",)


def test_a_video_without_frames_leaves_no_files(tmp_path):
    result = predict_video(Network(), camera(0), tmp_path)
    assert (result.num_frames, result.files) == (0, ())
    assert result.errors == ("camera 0: it gives no images",)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("no such box")])
def test_what_stops_a_video_is_told_beside_what_was_written(make_video, tmp_path, error):
    class Stopping(Network):
        def predict(self, image, boxes=None):
            if self.num_seen == self.fail_at:
                raise error
            return super().predict(image, boxes)

    network = Stopping()
    network.fail_at = 7
    result = predict_video(network, open_video(make_video(num_frames=20)), tmp_path)
    assert result.num_frames == len(read_lines(tmp_path / "clip_pose.jsonl")) == 7
    assert result.errors == (f"clip: stopped after 7 frames: {error}",)
    assert len(result.files) == 3
    network.fail_at = network.num_seen
    with pytest.raises(type(error)):
        predict_video(network, open_video(tmp_path / "clip.mp4"), tmp_path)


MEASURE_PEAK = """
import sys
from pathlib import Path
import numpy as np
from efficientpose.core.poses import Pose
from efficientpose.video.reading import open_video
from efficientpose.video.prediction import predict_video

class Network:
    name = "network"

    def predict(self, image, boxes=None):
        return (Pose(bbox=np.array([0, 0, 96, 64]), keypoints=np.full((16, 3), float(image.mean()))),)

video = Path(sys.argv[1])
result = predict_video(Network(), open_video(video), video.parent)
status = Path("/proc/self/status").read_text()
print(result.num_frames, status.split("VmHWM:")[1].split()[0])
"""


def peak_kilobytes(video, *, num_frames):
    command = [sys.executable, "-c", MEASURE_PEAK, str(video)]
    written, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(written) == num_frames
    return int(peak)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its peak")
def test_ten_times_the_frames_take_no_more_memory(make_video):
    short = peak_kilobytes(make_video("short.mp4", num_frames=160), num_frames=160)
    long = peak_kilobytes(make_video("long.mp4", num_frames=1600), num_frames=1600)
    # The 1440 frames more are 26 MB.
    assert long - short < 3000
    assert short < 200_000, "the frames are few beside what the process needs anyway"


def test_each_frame_is_on_disk_when_it_is_done(tmp_path):
    poses = Network().predict(None)
    with VideoResults(tmp_path, "a", rate=10) as results:
        for number in range(3):
            results.write(Frame(number, number / 10, np.zeros((64, 96, 3), np.uint8)), poses)
            assert len(read_lines(results.lines_path)) == number + 1
            assert len(results.table_path.read_text().splitlines()) == 1 + 16 * (number + 1)
        with pytest.raises(ValueError, match=r"a_pose\.mp4: the video's frames change in size, to 90 x 64 pixels"):
            results.write(Frame(3, 0.3, np.zeros((64, 90, 3), np.uint8)), poses)
    assert count_frames(tmp_path / "a_pose.mp4")[0] == 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        VideoResults(tmp_path / "nowhere", "a", rate=10)


@contextmanager
def largest_file(num_bytes):
    """Let no file grow beyond a size, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def noise(number):
    image = np.random.default_rng(number).integers(0, 256, (64, 96, 3), np.uint8)
    return Frame(number, number / 10, image)


def test_an_overlay_that_the_disk_did_not_take_is_reported(tmp_path):
    poses = Network().predict(None)
    with largest_file(20_000), VideoResults(tmp_path, "a", rate=10) as results:
        for number in range(20):
            results.write(noise(number), poses)
    (problem,) = results.problems
    assert "a_pose.mp4: the overlay cannot be written (File too large) and is removed" in problem
    assert results.files == (tmp_path / "a_pose.jsonl", tmp_path / "a_pose.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_pose.csv", "a_pose.jsonl"]
    assert len(read_lines(results.lines_path)) == 20


def test_a_disk_that_fills_up_is_told_by_the_file(tmp_path):
    poses = Network().predict(None)
    results = VideoResults(tmp_path, "a", rate=10, with_overlay=False)

    def write_frames():
        with largest_file(5_000), results:
            for number in range(20):
                results.write(noise(number), poses)

    with pytest.raises(OSError, match=r"a_pose\.(csv|jsonl)"):
        write_frames()
    *whole, _ = results.lines_path.read_text().split("\n")
    assert [json.loads(line)["frame"] for line in whole] == list(range(len(whole)))
    assert len(whole) >= results.num_frames >= 3
