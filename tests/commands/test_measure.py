"""From what predict wrote to angles and files in one command."""

import json

import numpy as np
import pandas
import pytest

from efficientpose.cli import main
from efficientpose.core.skeleton import KEYPOINT_NAMES

NUM_FRAMES = 50
RATE = 25.0


def stick_figure(knee_degrees):
    """A person seen from the right, standing upright, whose right shank is lifted to a knee flexion, in pixels."""
    height = dict(head_top=0, upper_neck=40, thorax=60, pelvis=150, hip=150, shoulder=60, elbow=100, wrist=140)
    height |= dict(knee=230, ankle=310)
    points = {}
    for name in KEYPOINT_NAMES:
        side, _, joint = name.partition("_")
        joint = joint if side in ("left", "right") else name
        points[name] = np.array((300.0 + 4 * (side == "left"), 100.0 + height[joint]))
    bend = np.radians(knee_degrees)
    points["right_ankle"] = points["right_knee"] + 80 * np.array((np.sin(bend), np.cos(bend)))
    return np.array([points[name] for name in KEYPOINT_NAMES])


@pytest.fixture
def found(tmp_path):
    """Two seconds in which the right knee bends from 0 to 90 degrees and back, as predict writes them."""
    lines = []
    for frame in range(NUM_FRAMES):
        figure = stick_figure(45 - 45 * np.cos(2 * np.pi * frame / NUM_FRAMES))
        keypoints = np.concatenate((figure, np.full((16, 1), 0.9)), axis=1).round(4).tolist()
        box = [*figure.min(axis=0).tolist(), *figure.max(axis=0).tolist()]
        lines.append({"frame": frame, "seconds": frame / RATE, "instances": [{"bbox": box, "keypoints": keypoints}]})
    path = tmp_path / "squat_pose.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_angles_files_and_plots(found, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["measure", str(found), "--out", str(out), "--formats", "csv,openpose,mmpose"]) == 0
    angles = pandas.read_csv(out / "squat_angles.csv")
    knee = angles[angles["angle"] == "right_knee_flexion"]
    expected = 45 - 45 * np.cos(2 * np.pi * np.arange(NUM_FRAMES) / NUM_FRAMES)
    np.testing.assert_allclose(knee["raw_degrees"], expected, atol=0.01)
    np.testing.assert_allclose(knee["degrees"][5:-5], expected[5:-5], atol=2)  # half a turn a second passes 6 Hz
    assert (out / "squat_angles.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    for path in ("squat_angles.csv", "squat_angles.png"):
        assert str(out / path) in printed
    assert len(list(out.rglob("*_keypoints.json"))) == NUM_FRAMES


def test_metres_from_the_person_s_height(found, tmp_path, capsys):
    arguments = ["measure", str(found), "--out", str(tmp_path / "out"), "--length", "right_hip,right_knee,0.4"]
    assert main([*arguments, "--smoothing", "none"]) == 0
    assert "5.000 mm a pixel" in capsys.readouterr().out  # 0.4 m over 80 pixels


def test_a_person_who_never_stands_has_no_scale_from_the_height(found, tmp_path, capsys):
    """The files are written without it; another person's standing counts for nothing."""
    lines = [json.loads(line) for line in found.read_text().splitlines()]
    lying = stick_figure(0)[:, ::-1] * (1, -1) + (100, 700)
    for line in lines:
        keypoints = np.concatenate((lying, np.full((16, 1), 0.9)), axis=1).tolist()
        box = [*lying.min(axis=0).tolist(), *lying.max(axis=0).tolist()]
        line["instances"].append({"bbox": box, "keypoints": keypoints})
    found.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    out = tmp_path / "out"
    assert main(["measure", str(found), "--out", str(out), "--person", "1", "--height", "1.75"]) == 1
    assert "there is no scale: person 1: no frame has the person standing upright" in capsys.readouterr().err
    assert (out / "squat_angles.csv").is_file()
    assert main(["measure", str(found), "--out", str(out), "--person", "0", "--height", "1.75"]) == 0
    assert "mm a pixel" in capsys.readouterr().out


def test_what_cannot_be_written_does_not_stop_the_rest(found, tmp_path, capsys):
    """Without the overlay nobody knows the video's height, so trc has no y upwards."""
    out = tmp_path / "out"
    assert main(["measure", str(found), "--out", str(out), "--formats", "trc,csv"]) == 1
    assert "trc is not written: squat: y upwards needs the video's height" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"squat_tidy.csv", "squat_angles.csv", "squat_angles.png"}
    assert main(["measure", str(found), "--out", str(out), "--formats", "trc", "--image-size", "640,480"]) == 0
    assert "trc: a thousandth of the pixels, not metres" in capsys.readouterr().out
    first = (out / "squat_person00.trc").read_text().splitlines()[5].split("\t")
    assert float(first[3]) == pytest.approx((479 - 410) / 1000, abs=1e-3)  # the right ankle's y in the first frame


def test_a_tidy_table_is_measured_from_its_raw_values(found, tmp_path):
    """Else a signal would be filtered twice, and the raw values of the second table would be filtered ones."""
    out, again = tmp_path / "out", tmp_path / "again"
    assert main(["measure", str(found), "--out", str(out)]) == 0
    assert main(["measure", str(out / "squat_tidy.csv"), "--out", str(again)]) == 0
    for name in ("squat_tidy.csv", "squat_angles.csv"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_a_file_that_breaks_off_is_measured_up_to_there(found, tmp_path, capsys):
    found.write_text(found.read_text()[:-40])
    assert main(["measure", str(found), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"efficientpose: {found}: line 50 breaks off; what comes before it is read\n"
    assert "person 0: in 49 of 49 frames" in printed.out


@pytest.mark.parametrize("name", ["photo.jpg", "clips", "poses.json"])
def test_sources_that_are_no_video(tmp_path, capsys, name):
    assert main(["measure", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    assert f"{name}: movement is measured in one video, or in what predict wrote" in capsys.readouterr().err


def test_a_video_is_measured_without_a_file_between(make_model, make_video, tmp_path, capsys):
    """One that is cut off gives status 1."""
    pytest.importorskip("onnxruntime")
    video = make_video("clip.mkv", num_frames=60)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    out, again = tmp_path / "out", tmp_path / "again"
    frame = ["--decoding", "frame"]  # the tiny model's heatmaps are alike, and over the clip any of them may be chosen
    assert main(["measure", str(video), "--model", str(make_model()), "--out", str(out), *frame]) == 1
    printed = capsys.readouterr()
    assert "clip.mkv: it ends after frame" in printed.err
    assert str(out / "clip_pose.jsonl") in printed.out
    assert main(["measure", str(out / "clip_pose.jsonl"), "--out", str(again), *frame]) == 0
    tables = [pandas.read_csv(folder / "clip_tidy.csv") for folder in (out, again)]
    pandas.testing.assert_frame_equal(*tables, atol=2e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--formats", "excel"], "--formats: has no excel: there are csv, "),
        (["--person", "3"], "has no person 3: there are 0"),
        (["--click", "1,2"], "--click: takes X,Y,FRAME: pixels, and a frame's number, not '1,2'"),
        (["--click", "5,5,0"], "nobody is at x 5, y 5 in frame 0"),
        (["--length", "right_hip,nose,0.4"], "no keypoint 'nose'"),
        (["--length", "right_hip"], "--length: takes ONE,OTHER,METRES"),
        (["--length", "right_hip,right_knee,0"], "--length: takes ONE,OTHER,METRES"),
        (["--click", "300,150,inf"], "--click: takes X,Y,FRAME"),
        (["--click", "300,150,0.5"], "--click: takes X,Y,FRAME"),
        (["--height", "0"], "--height: takes metres, above 0 and at most 3, not '0'"),
        (["--height", "175"], "--height: takes metres, above 0 and at most 3, not '175'"),
        (["--max-gap", "-1"], "--max-gap: takes seconds, 0 or more, not '-1'"),
        (["--min-score", "nan"], "--min-score: takes a score, from 0 to 1, not 'nan'"),
        (["--image-size", "640"], "--image-size: takes WIDTH,HEIGHT: whole pixels, not '640'"),
        (["--cutoff", "0"], "--cutoff: takes Hz, above 0, not '0'"),
        (["--cutoff", "12.5"], "cutoff 12.5 Hz must lie below 12.5 Hz, half of the 25 frames a second"),
    ],
    ids=str,
)
def test_what_cannot_be_measured(found, tmp_path, capsys, arguments, message):
    try:
        status = main(["measure", str(found), "--out", str(tmp_path / "out"), *arguments])
    except SystemExit as stop:  # of the parser
        status = stop.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_a_recording_without_people(tmp_path, capsys):
    path = tmp_path / "empty_pose.jsonl"
    path.write_text("".join(json.dumps({"frame": f, "seconds": f / 25, "instances": []}) + "\n" for f in range(3)))
    assert main(["measure", str(path), "--out", str(tmp_path / "out")]) == 2
    assert f"{path}: no person was found in it" in capsys.readouterr().err
