"""From what predict wrote to angles and files in one command."""

import json

import numpy as np
import pandas
import pytest

from efficientpose.cli import main
from efficientpose.skeleton import KEYPOINT_NAMES

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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--formats", "excel"], "--formats has no excel: there are csv, "),
        (["--person", "3"], "has no person 3: there are 0"),
        (["--click", "1,2"], "--click takes X,Y,FRAME, not '1,2'"),
        (["--click", "5,5,0"], "nobody is at x 5, y 5 in frame 0"),
        (["--length", "right_hip,nose,0.4"], "no keypoint 'nose'"),
        (["--length", "right_hip"], "--length takes ONE,OTHER,METRES"),
        (["--cutoff", "20"], "20"),
    ],
    ids=str,
)
def test_what_cannot_be_measured(found, tmp_path, capsys, arguments, message):
    assert main(["measure", str(found), "--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_recording_without_people(tmp_path, capsys):
    path = tmp_path / "empty_pose.jsonl"
    path.write_text("".join(json.dumps({"frame": f, "seconds": f / 25, "instances": []}) + "\n" for f in range(3)))
    assert main(["measure", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "nobody was found in it" in capsys.readouterr().err
