"""``efficientpose predict`` with an exported file, and on videos and cameras."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from efficientpose.cli import main
from efficientpose.commands.network import parse_model
from efficientpose.video.prediction import VideoResult


@pytest.fixture
def model(make_model) -> Path:
    pytest.importorskip("onnxruntime")
    return make_model()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return path


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def count_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    number = 0
    while capture.grab():
        number += 1
    return number


def test_pictures_and_videos_without_torch(model, picture, make_video, tmp_path):
    video = make_video(num_frames=12)
    arguments = ["predict", str(picture), str(video), "--model", str(model), "--threads", "1", "--draw", "heatmaps"]
    code = f"""
import sys
from efficientpose.cli import main
assert main({[*arguments, "--out", str(tmp_path / "out")]!r}) == 0
assert not {{name for name in sys.modules if name.split(".")[0] in ("torch", "mmpose", "mmengine", "mmcv", "scipy")}}
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    expected = {"photo_pose.jpg", "photo_heatmaps.jpg", "predictions.json"}
    assert names == expected | {"clip_pose.mp4", "clip_pose.jsonl", "clip_pose.csv"}
    assert "1 of 1 images" in result.stdout
    assert "12 frames: " in result.stdout
    document = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert document["model"] == "rt"
    assert np.shape(document["images"][0]["instances"][0]["keypoints"]) == (16, 3)
    assert [line["frame"] for line in read_lines(tmp_path / "out" / "clip_pose.jsonl")] == list(range(12))
    assert count_frames(tmp_path / "out" / "clip_pose.mp4") == 12


def test_a_file_without_pafs_is_refused_where_they_are_to_be_drawn(model, picture, tmp_path, capsys):
    arguments = ["predict", str(picture), "--model", str(model), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--draw", "heatmaps,pafs"]) == 2
    error = capsys.readouterr().err
    assert f"{model} has no part affinity fields to draw: export it again with efficientpose export --pafs" in error
    assert list((tmp_path / "out").iterdir()) == []


def test_a_variant_on_torch_takes_videos_too(untrained_checkpoint, make_video, tmp_path):
    video = make_video(num_frames=4)
    arguments = ["predict", str(video), "--weights", str(untrained_checkpoint), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--boxes", "5,5,50,50;20,0,90,60", "--no-overlay"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"clip_pose.jsonl", "clip_pose.csv"}
    lines = read_lines(tmp_path / "out" / "clip_pose.jsonl")
    assert [[person["bbox"] for person in line["instances"]] for line in lines] == [
        [[5, 5, 50, 50], [20, 0, 90, 60]]
    ] * 4


def test_follow_starts_from_the_box(model, make_video, tmp_path):
    arguments = ["predict", str(make_video(num_frames=3)), "--model", str(model), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--follow", "--boxes", "10,10,70,60"]) == 0
    boxes = [line["instances"][0]["bbox"] for line in read_lines(tmp_path / "out" / "clip_pose.jsonl")]
    assert boxes[0] == [10, 10, 70, 60]
    assert boxes[1] != boxes[0]


def test_bad_videos_are_named_and_the_rest_is_done(model, make_video, tmp_path, capsys):
    good = make_video("good.mp4", num_frames=5)
    cut = make_video("cut.avi", num_frames=60, fourcc="MJPG")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (tmp_path / "text.mp4").write_text("no video")
    sources = [tmp_path / "nowhere.mp4", tmp_path / "text.mp4", cut, good]
    out = tmp_path / "out"
    assert main(["predict", *map(str, sources), "--model", str(model), "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert "nowhere.mp4: no such video" in captured.err
    assert "text.mp4: not a video that FFmpeg can read" in captured.err
    assert "cut.avi: 25 of 60 frames can be read" in captured.err
    assert len(read_lines(out / "good_pose.jsonl")) == 5
    assert len(read_lines(out / "cut_pose.jsonl")) == count_frames(out / "cut_pose.mp4") > 20
    assert main(["predict", str(tmp_path / "text.mp4"), "--model", str(model), "--out", str(out)]) == 2


@pytest.mark.parametrize(
    ("name", "fourcc", "message"),
    [
        ("hollow.avi", "MJPG", "no frame of it can be read"),
        ("hollow.mp4", "mp4v", "not a video that FFmpeg can read, or its end is missing"),
        ("hollow.mkv", "mp4v", "not a video that FFmpeg can read, or its end is missing"),
    ],
)
def test_a_video_without_frames_is_named_and_leaves_nothing(model, make_video, tmp_path, capsys, name, fourcc, message):
    video = make_video(name, num_frames=0, fourcc=fourcc)
    assert video.stat().st_size > 0
    assert main(["predict", str(video), "--model", str(model), "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert f"efficientpose: {video}: {message}" in captured.err
    assert "Traceback" not in captured.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_video_whose_frames_are_all_damaged_is_named_and_leaves_nothing(model, make_video, tmp_path, capsys):
    video = make_video(num_frames=20)
    data = bytearray(video.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    video.write_bytes(data)
    assert main(["predict", str(video), "--model", str(model), "--out", str(tmp_path / "out")]) == 2
    assert f"efficientpose: {video}: " in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_result_that_cannot_be_written_does_not_stop_the_rest(model, make_video, tmp_path, capsys):
    first, second = make_video("first.mp4", num_frames=3), make_video("second.mp4", num_frames=4)
    (tmp_path / "out" / "first_pose.csv").mkdir(parents=True)
    arguments = ["predict", str(first), str(second), "--model", str(model), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert f"efficientpose: {first}: [Errno 21] Is a directory" in error
    assert "first_pose.csv" in error
    assert len(read_lines(tmp_path / "out" / "second_pose.jsonl")) == 4


def test_videos_of_one_name_do_not_overwrite_one_another(model, make_video, tmp_path):
    first = make_video("clip.mp4", num_frames=3)
    second = make_video("clip.avi", num_frames=4)
    assert main(["predict", str(first), str(second), "--model", str(model), "--out", str(tmp_path / "out")]) == 0
    assert len(read_lines(tmp_path / "out" / "clip_pose.jsonl")) == 3
    assert len(read_lines(tmp_path / "out" / "clip-2_pose.jsonl")) == 4


def test_names_that_are_not_utf8(model, make_video, tmp_path):
    """In a process of its own: pytest's standard output takes anything."""
    folder = tmp_path / os.fsdecode(b"ann\xe9e")
    folder.mkdir()
    video = make_video(num_frames=4).rename(folder / os.fsdecode(b"caf\xe9.mp4"))
    arguments = ["predict", video, "--model", model, "--out", folder / "out"]
    command = [sys.executable, "-m", "efficientpose.cli", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert b"4 frames: " in result.stdout
    names = sorted(os.fsencode(path.name) for path in (folder / "out").iterdir())
    assert names == [b"caf\xe9_pose.csv", b"caf\xe9_pose.jsonl", b"caf\xe9_pose.mp4"]


def test_a_camera_that_is_not_there(model, tmp_path, capsys):
    assert main(["predict", "--camera", "93", "--model", str(model), "--out", str(tmp_path / "out")]) == 2
    assert "efficientpose: camera 93: it is not there" in capsys.readouterr().err


def test_ctrl_c_leaves_files_that_can_be_read(model, make_video, tmp_path):
    video = make_video("long.avi", num_frames=6000, fourcc="MJPG")
    out = tmp_path / "out"
    # A process that was started in the background is deaf to SIGINT unless it listens anew.
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from efficientpose.cli import main
sys.exit(main())
"""
    command = [sys.executable, "-c", code, "predict", str(video), "--model", str(model), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        lines = out / "long_pose.jsonl"
        while process.poll() is None and not (lines.exists() and lines.read_text().count("\n") > 5):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; what was done so far is written" in errors
    assert "Traceback" not in errors
    numbers = [line["frame"] for line in read_lines(lines)]
    assert 5 < len(numbers) < 6000
    assert numbers == list(range(len(numbers)))
    assert count_frames(out / "long_pose.mp4") == len(numbers)
    assert len((out / "long_pose.csv").read_text().splitlines()) == 1 + 16 * len(numbers)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--model", "{model}", "--weights", "a.pth"], "--weights and --config are for variants"),
        (["--engine", "openvino"], "--engine and --precision are for exported files"),
        (["--precision", "bf16"], "--engine and --precision are for exported files"),
        (["--model", "{model}", "--engine", "abacus"], "unknown engine 'abacus'"),
        (["--model", "{model}", "--precision", "bf16"], "not in bf16"),
        (["--model", "{model}", "--threads", "0"], "--threads takes 1 or more, not 0"),
        (["--camera", "-1"], "--camera takes a camera's number, from 0, not -1"),
        (["--model", "{model}", "--follow", "--boxes", "1,1,9,9;2,2,8,8"], "--follow starts from one box a video"),
        (["--draw", "heatmaps"], "--draw is for images"),
        (["--model", "nowhere.onnx"], "no such model file: 'nowhere.onnx'"),
        (
            ["--boxes", "900,900,950,950", "--model", "{model}"],
            r"clip.mp4: box [900.0, 900.0, 950.0, 950.0] lies outside",
        ),
    ],
)
def test_bad_options_say_what_would_be_right(model, make_video, tmp_path, capsys, extra, message):
    extra = [argument.replace("{model}", str(model)) for argument in extra]
    assert main(["predict", str(make_video(num_frames=2)), "--out", str(tmp_path / "out"), *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_follow_is_for_videos(model, picture, tmp_path, capsys):
    arguments = ["predict", str(picture), "--model", str(model), "--out", str(tmp_path / "out"), "--follow"]
    assert main(arguments) == 2
    assert "--follow is for videos and cameras" in capsys.readouterr().err


def test_models_are_variants_or_files():
    assert parse_model("II") == "ii"
    assert parse_model("folder/Model.ONNX") == Path("folder/Model.ONNX")


@pytest.mark.parametrize("other", [["--boxes", "0,0,9,9"], ["--follow"], ["--draw", "pafs"]], ids=str)
def test_everybody_in_one_pass_needs_no_boxes(picture, make_video, tmp_path, capsys, other):
    sources = [str(picture), str(make_video(num_frames=2))]
    assert main(["predict", *sources, "--people", "paf", *other, "--out", str(tmp_path / "out")]) == 2
    assert "--people paf finds all people by itself: leave out" in capsys.readouterr().err


def test_everybody_in_one_pass_needs_part_affinity_fields(model, picture, tmp_path, capsys):
    arguments = ["predict", str(picture), "--model", str(model), "--people", "paf", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "no part affinity fields" in capsys.readouterr().err


def test_everybody_in_one_pass_with_released_weights(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(shared / "official"))
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "cache"))
    photo = next((shared / "data" / "mpii_mini" / "images").glob("*.jpg"))
    assert main(["predict", str(photo), "--model", "i", "--people", "paf", "--out", str(tmp_path / "out")]) == 0
    (image,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["images"]
    assert image["instances"]
    for person in image["instances"]:
        assert sum(score > 0 for _, _, score in person["keypoints"]) >= 4


def test_what_a_camera_missed_is_told_and_is_no_failure(model, tmp_path, capsys, monkeypatch):
    note = "camera0: 5.0 of the 30.0 frames a second that it promises"
    result = VideoResult(num_frames=2, files=(tmp_path / "camera0_pose.csv",), errors=(), notes=(note,))
    monkeypatch.setattr("efficientpose.video.camera.open_camera", lambda number: SimpleNamespace(num_frames=None))
    monkeypatch.setattr("efficientpose.video.prediction.predict_video", lambda *_, **__: result)
    assert main(["predict", "--camera", "0", "--model", str(model), "--out", str(tmp_path / "out")]) == 0
    assert note in capsys.readouterr().out
