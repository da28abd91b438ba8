"""The released pipeline gives what the authors' programme gave, and its places come back to the picture."""

import json

import cv2
import numpy as np
import pytest

from efficientpose.benchmark import released_pipeline
from efficientpose.benchmark.released_pipeline import ReleasedPipeline, check_packages, find_released_model
from efficientpose.core.variants import get_variant
from efficientpose.weights.released import KEYPOINT_ORDER

RT, II = get_variant("rt"), get_variant("ii")


@pytest.fixture
def make_pipeline(shared):
    for package in ("skimage", "PIL", "scipy", "ai_edge_litert"):
        pytest.importorskip(package)
    return lambda variant: ReleasedPipeline(find_released_model(shared / "official", variant), variant, threads=1)


@pytest.mark.parametrize(("variant", "num_moved"), [(II, 0), (RT, 2)])
def test_recorded_keypoints(shared, make_pipeline, variant, num_moved):
    pipeline, name = make_pipeline(variant), "official_sample.jpg"
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        crop = inputs[f"{name}@{variant.resolution}"]
    recorded = json.loads((shared / "golden" / "keypoints.json").read_text())[variant.name.upper()][name]
    found = pipeline.decode(pipeline.infer(pipeline.normalise(crop)))
    moved = np.abs(found - (np.array(recorded)[list(KEYPOINT_ORDER), :2] - 0.5)).sum(axis=1)
    # those of RT were recorded from weights in float32; the .tflite file's are float16
    assert moved.max() <= 1
    assert np.count_nonzero(moved) <= num_moved


def test_geometry_by_hand(make_pipeline, tmp_path, monkeypatch):
    pipeline = make_pipeline(RT)
    picture = np.zeros((50, 100, 3), np.uint8)
    picture[10:20, 60:80] = 255
    cv2.imwrite(str(tmp_path / "wide.png"), picture)
    crop = pipeline.cut(picture)
    assert crop.shape == (224, 224, 3)
    # 100 x 50 pixels become 224 x 112, with 56 rows above: the white rectangle is at x 134.4 to 179.2, y 78.4 to 100.8
    rows, columns = np.nonzero(crop[..., 0] > 127)
    np.testing.assert_allclose((columns.min(), columns.max() + 1), (134.4, 179.2), atol=1)
    np.testing.assert_allclose((rows.min(), rows.max() + 1), (78.4, 100.8), atol=1)
    # the centre of the square, between pixels 111 and 112, is the centre of the picture, between 49 and 50, 24 and 25
    monkeypatch.setattr(pipeline, "decode", lambda maps: np.full((16, 2), 111.5))
    np.testing.assert_allclose(pipeline.predict(tmp_path / "wide.png"), np.tile((49.5, 24.5), (16, 1)))


def test_a_folder_without_models(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no EfficientPoseRT\.tflite in this folder"):
        find_released_model(tmp_path, RT)
    with pytest.raises(FileNotFoundError, match=r"there is no EfficientPoseRT\.tflite"):
        find_released_model(tmp_path / "nowhere", RT)
    with pytest.raises(ValueError, match="no tflite file of EfficientPose III"):
        find_released_model(tmp_path, get_variant("iii"))


def test_missing_packages(monkeypatch):
    monkeypatch.setattr(released_pipeline, "_PACKAGES", {"no_such_module": "scikit-nothing", "numpy": "numpy"})
    with pytest.raises(ValueError, match="needs scikit-nothing: pip install scikit-nothing"):
        check_packages()
