"""``tools/analysis/video_rate.py`` and ``decode_times.py`` from beginning to end on a small network."""

import cv2
import numpy as np
import pytest

from efficientpose.benchmark.decode_times import measure_decoding
from efficientpose.benchmark.video_rate import draw_clip, measure_video_rate
from efficientpose.runtime.estimator import PoseEstimator
from efficientpose.video.prediction import VideoResult
from efficientpose.video.reading import open_video

pytest.importorskip("onnxruntime")


def test_rates_of_a_clip(run_tool, make_model, make_video):
    status, said, _ = run_tool("analysis/video_rate.py", make_model("one.onnx"), "--clip", make_video(), "--rounds", 2)
    assert status == 0
    row = said.splitlines()[-1].strip("| ").split("|")
    alone, beside_encoder, overlay, numbers = (float(cell.split()[0]) for cell in row[1:])
    assert beside_encoder > 0
    assert 0 < overlay < alone
    assert 0 < numbers < alone
    ratios = [float(cell.split("(")[1].rstrip(") ")) for cell in row[2:]]
    assert ratios == pytest.approx([beside_encoder / alone, overlay / alone, numbers / alone], abs=0.01)


def test_a_drawn_clip_moves_a_picture_without_cutting_it(tmp_path):
    picture = np.zeros((72, 36, 3), np.uint8)
    picture[..., 2] = 250
    draw_clip(picture, tmp_path / "clip.mp4", num_frames=300)
    with open_video(tmp_path / "clip.mp4") as video:
        frames = [frame.image for frame in video]
    assert len(frames) == 300
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    reds = [np.flatnonzero(frame[360, :, 2] > 128) for frame in frames]
    assert all(abs(len(red) - 360) <= 4 for red in reds)
    lefts = [red[0] for red in reds]
    assert max(abs(np.diff(lefts))) <= 8  # by 4 pixels, at the ends back
    assert min(lefts) < 8
    assert max(lefts) > 1280 - 360 - 8


def test_a_lost_frame_is_told(make_model, make_video, monkeypatch):
    monkeypatch.setattr(
        "efficientpose.benchmark.video_rate.predict_video",
        lambda *_, **__: VideoResult(num_frames=29, files=(), errors=()),
    )
    with pytest.raises(RuntimeError, match="30 frames in, 29 out"):
        measure_video_rate(PoseEstimator(make_model("one.onnx")), make_video(num_frames=30), rounds=1)


def test_times_of_decoding(run_tool, make_model, tmp_path):
    cv2.imwrite(str(tmp_path / "picture.png"), np.full((64, 64, 3), (0, 0, 255), np.uint8))
    status, said, _ = run_tool(
        "analysis/decode_times.py", make_model("one.onnx"), "--image", tmp_path / "picture.png", "--rounds", 1
    )
    assert status == 0
    rows = [line.strip("| ").split(" | ") for line in said.splitlines()[-5:]]
    assert [row[0] for row in rows] == [f"EfficientPose {name}" for name in ("RT", "I", "II", "III", "IV")]
    assert [int(row[1]) for row in rows] == [224, 256, 368, 480, 600]
    assert all(float(value) > 0 for row in rows for value in row[2:5])


def test_both_decoders_find_a_hand_made_peak():
    heatmaps = np.zeros((2, 28, 28), np.float32)
    heatmaps[0, 5, 9], heatmaps[1, 20, 3] = 1.0, 0.5
    times = measure_decoding(heatmaps, resolution=224, blur_sigma=1.0, rounds=2)
    assert times.same
    assert times.repeated.wall.median > 0
    assert times.sparse.wall.median < times.dense.wall.median


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("video_rate.py", ["absent.onnx"], "absent.onnx"),
        ("video_rate.py", ["absent.onnx", "--frames", 0], "1 frame or more, not 0"),
        ("decode_times.py", ["absent.onnx"], "absent.onnx"),
    ],
)
def test_what_cannot_be_measured(run_tool, name, arguments, complaint):
    status, _, complained = run_tool(f"analysis/{name}", *arguments)
    assert status == 1
    assert complaint in complained
