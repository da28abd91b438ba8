"""The demo finds both people, and without weights says so."""

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import torch

from efficientpose import PoseEstimator
from efficientpose.commands import demo
from efficientpose.commands import demo as synthetic_score
from efficientpose.commands.demo import draw_validation_people, score_on_synthetic_people
from efficientpose.core.shipped_files import starter_checkpoint
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.evaluation.pckh import MEAN_ROW
from efficientpose.weights.find import WeightsNotFoundError

NECK = KEYPOINT_NAMES.index("upper_neck")
WRISTS = [KEYPOINT_NAMES.index("right_wrist"), KEYPOINT_NAMES.index("left_wrist")]
ANKLES = [KEYPOINT_NAMES.index("right_ankle"), KEYPOINT_NAMES.index("left_ankle")]


@pytest.fixture(autouse=True)
def _few_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_score, "NUM_PEOPLE", 8)


@pytest.fixture
def _video() -> None:
    """What the demo reads its frames from; tests that run the demo are skipped without."""
    try:
        distribution("sports2d")
    except PackageNotFoundError:
        pytest.skip("the demo's video comes with Sports2D, which is not installed")


@pytest.mark.usefixtures("_video")
def test_demo_finds_two_people_with_released_weights(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(shared / "official"))
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "cache"))
    demo.run_demo(tmp_path / "out")
    printed = capsys.readouterr().out
    for variant in demo.RELEASED_VARIANTS:
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


@pytest.mark.usefixtures("_video")
def test_demo_without_released_weights_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(demo.TorchPoseEstimator, "load", starter_only(demo.TorchPoseEstimator.load))
    demo.run_demo(tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert "No released weights can be reached: they find keypoints more exactly than the starter checkpoint." in lines
    assert (tmp_path / "out" / "rt_starter" / "frame084_pose.jpg").is_file()
    assert any("frame084_pose.jpg" in line for line in lines)
    assert any("PCKh@0.5" in line for line in lines)
    assert any("of 8 people" in line for line in lines)
    assert not (tmp_path / "out" / "rt").exists()


def starter_only(load: Callable) -> Callable:
    """``PoseEstimator.load`` where there are no released weights."""

    def load_starter(variant: str, *, weights: Path | None = None) -> PoseEstimator:
        if weights is None:
            raise WeightsNotFoundError("none")
        return load(variant, weights=weights)

    return load_starter


@pytest.mark.usefixtures("_video")
def test_starter_checkpoint_finds_the_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.TorchPoseEstimator, "load", starter_only(demo.TorchPoseEstimator.load))
    demo.run_demo(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "rt_starter" / "predictions.json").read_text())
    jumping, standing = (np.array(image["instances"][0]["keypoints"]) for image in document["images"])
    for person in (jumping, standing):
        assert person[NECK, 1] + 150 < person[ANKLES, 1].min()
        assert person[:, 2].mean() > 0.2
    assert jumping[WRISTS, 1].mean() < jumping[NECK, 1]
    assert standing[WRISTS, 1].min() > standing[NECK, 1]


def test_starter_checkpoint_is_scored_on_synthetic_people(tmp_path: Path) -> None:
    starter = demo.TorchPoseEstimator.load("rt", weights=starter_checkpoint())
    draw_validation_people(tmp_path / "people")
    table = score_on_synthetic_people(starter, tmp_path / "people")
    assert table.num_people == 8
    assert table.rows[MEAN_ROW]["@0.5"].value > 40  # an untrained network scores below 2


def test_starter_checkpoint_is_small_and_holds_weights_alone() -> None:
    path = starter_checkpoint()
    assert path.stat().st_size < 4_000_000
    meta = torch.load(path, weights_only=True)["meta"]
    assert meta["variant"] == "rt"
    assert meta["source"] == "synthetic people, then LSP Extended (for research) and synthetic people"


def test_demo_without_its_video_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("efficientpose.inference.sample_crops.distribution", find_nothing)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps sports2d"):
        demo.run_demo(tmp_path / "out")
