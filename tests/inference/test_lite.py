"""The released Lite variants through our call and the command line: pixels are scaled as they were trained."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from efficientpose import PoseEstimator
from efficientpose.cli import main
from efficientpose.weights.released import KEYPOINT_ORDER

GOLDEN_IMAGES = ("official_sample.jpg", "person1.jpg", "004645041.jpg", "060754485.jpg")
RESOLUTIONS = {"rt_lite": 224, "i_lite": 256, "ii_lite": 368}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no folder of released files."""
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("EFFICIENTPOSE_WEIGHTS_DIR", raising=False)
    return tmp_path / "cache"


def crop(shared: Path, image: str, resolution: int) -> np.ndarray:
    """A recorded crop, BGR."""
    return np.ascontiguousarray(np.load(shared / "golden" / "inputs.npz")[f"{image}@{resolution}"][..., ::-1])


def recorded(shared: Path, variant: str, image: str) -> np.ndarray:
    """What the released decoder gave, our order and pixel-centre indices."""
    golden = json.loads((shared / "golden" / "keypoints.json").read_text())[variant.upper()][image]
    return np.array(golden)[list(KEYPOINT_ORDER)] - (0.5, 0.5, 0)


@pytest.mark.parametrize("variant", RESOLUTIONS)
def test_keypoints_and_scores_are_the_released_decoders(shared: Path, cache: Path, variant: str) -> None:
    source = shared / "official" / "tflite" / f"EfficientPose{variant.upper()}.tflite"
    estimator = PoseEstimator.load(variant, weights=source)
    for image in GOLDEN_IMAGES:
        pixels = crop(shared, image, RESOLUTIONS[variant])
        (pose,) = estimator.predict(pixels)
        expected = recorded(shared, variant, image)
        np.testing.assert_allclose(pose.keypoints[:, :2], expected[:, :2], atol=0.01)
        np.testing.assert_allclose(pose.keypoints[:, 2], expected[:, 2], atol=1e-4)
    assert estimator.predict_maps(pixels).pafs is None  # the released files lack them
    assert list((cache / "converted").glob(f"efficientpose_{variant}-*.pth"))


def test_convert_and_predict_from_the_command_line(shared: Path, cache: Path, tmp_path: Path) -> None:
    checkpoint, picture = tmp_path / "rt_lite.pth", tmp_path / "person.png"
    cv2.imwrite(str(picture), crop(shared, "person1.jpg", 224))
    released = shared / "official" / "tflite" / "EfficientPoseRT_LITE.tflite"
    assert main(["convert", str(released), "-o", str(checkpoint)]) == 0
    options = ["--model", "rt_lite", "--weights", str(checkpoint), "--out", str(tmp_path / "out")]
    assert main(["predict", str(picture), *options]) == 0
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert found["model"] == "rt_lite"
    keypoints = np.array(found["images"][0]["instances"][0]["keypoints"])
    expected = recorded(shared, "rt_lite", "person1.jpg")
    np.testing.assert_allclose(keypoints.reshape(16, -1)[:, :2], expected[:, :2], atol=0.01)
