"""The demo finds both people, and without weights says so."""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

from efficientpose.inference import demo
from efficientpose.skeleton import KEYPOINT_NAMES
from efficientpose.weights.find import WeightsNotFoundError

NECK = KEYPOINT_NAMES.index("upper_neck")
WRISTS = [KEYPOINT_NAMES.index("right_wrist"), KEYPOINT_NAMES.index("left_wrist")]
ANKLES = [KEYPOINT_NAMES.index("right_ankle"), KEYPOINT_NAMES.index("left_ankle")]


@pytest.fixture(autouse=True)
def _video() -> None:
    try:
        distribution("sports2d")
    except PackageNotFoundError:
        pytest.skip("the demo's video comes with Sports2D, which is not installed")


def test_demo_finds_two_people_with_released_weights(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(shared / "official"))
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "cache"))
    demo.run_demo(tmp_path / "out")
    printed = capsys.readouterr().out
    for variant in demo.DEMO_VARIANTS:
        for number in demo.DEMO_FRAMES:
            picture = tmp_path / "out" / variant / f"frame{number:03}_pose.jpg"
            assert picture.is_file()
            assert str(picture) in printed
        document = json.loads((tmp_path / "out" / variant / "predictions.json").read_text())
        jumping, standing = (np.array(image["instances"][0]["keypoints"]) for image in document["images"])
        assert jumping[WRISTS, 1].max() < jumping[NECK, 1]  # arms up
        assert standing[WRISTS, 1].min() > standing[NECK, 1] + 50  # arms down
        for person in (jumping, standing):
            assert person[NECK, 1] + 200 < person[ANKLES, 1].min()
            assert person[:, 2].mean() > 0.3


def test_demo_without_weights_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def nowhere(*_args: object, **_kwargs: object) -> None:
        raise WeightsNotFoundError("none")

    monkeypatch.setattr(demo.PoseEstimator, "load", nowhere)
    demo.run_demo(tmp_path / "out")
    first_line, *rest = capsys.readouterr().out.splitlines()
    assert first_line == "No released weights can be reached: random weights show the same path, but not poses."
    assert (tmp_path / "out" / "rt_untrained" / "frame084_pose.jpg").is_file()
    assert any("frame084_pose.jpg" in line for line in rest)
