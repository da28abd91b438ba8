"""``tools/analysis/score_files.py`` on a picture with a red and a blue square, and a network that finds those."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime")

TOOL = "analysis/score_files.py"
SIDE = 64
RED, BLUE = (16, 16), (48, 40)
TORSO = np.hypot(32, 24)


@pytest.fixture
def people(tmp_path):
    """Annotations of two: one as the network finds it, one whose even joints are half a torso lower."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    for (x, y), channel in ((RED, 2), (BLUE, 0)):
        picture[y - 4 : y + 4, x - 4 : x + 4, channel] = 255
    annotations = []
    for number, moved in enumerate((0, TORSO / 2)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
        joints = [BLUE if joint % 2 else (RED[0], RED[1] + moved) for joint in range(16)]
        annotations.append(
            {
                "image": f"{number}.png",
                "center": [SIDE / 2 + 1] * 2,
                "scale": SIDE / 1.25 / 200,
                "joints": joints,
                "joints_vis": [1] * 16,
            }
        )
    path = tmp_path / "people.json"
    path.write_text(json.dumps(annotations))
    return "--annotations", path, "--images", tmp_path


def test_files_side_by_side(run_tool, make_model, people, tmp_path):
    files = make_model("one.onnx"), make_model("other.onnx", precision="int8")
    report = tmp_path / "scores.json"
    status, printed, _ = run_tool(TOOL, *files, *people, "--json", report)
    assert status == 0
    scores = json.loads(report.read_text())
    assert list(scores) == [str(file) for file in files]
    assert scores[str(files[0])] == scores[str(files[1])]
    # thorax and pelvis, 7 and 6, do not count: 7 even and 7 odd joints, the even ones of the second person wrong
    assert scores[str(files[0])]["torso/PCK@0.2"] == pytest.approx(75)
    assert "torso/PCK@0.2" in printed


def test_first_people_only(run_tool, make_model, people, tmp_path):
    file, report = make_model(), tmp_path / "scores.json"
    assert run_tool(TOOL, file, *people, "--people", 1, "--json", report)[0] == 0
    assert json.loads(report.read_text())[str(file)]["torso/PCK@0.2"] == 100


def test_errors(run_tool, make_model, people, tmp_path):
    status, _, error = run_tool(TOOL, tmp_path / "nowhere.onnx", *people)
    assert status == 1
    assert "nowhere.onnx" in error
    status, _, error = run_tool(TOOL, make_model(), *people, "--people", 0)
    assert status == 1
    assert "number of people must be 1 or more, got 0" in error
