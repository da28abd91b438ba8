"""The runtime's own names: light to import, and of use where nothing of MMPose can be imported."""

import importlib
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

import efficientpose.runtime

PLACES = {
    "Follower": "people.following",
    "PoseEstimator": "runtime.estimator",
    "open_camera": "video.camera",
    "open_video": "video.reading",
    "predict_video": "video.prediction",
}


def test_every_name_is_where_it_says():
    assert efficientpose.runtime.__all__ == sorted(PLACES)
    for name, module in PLACES.items():
        expected = getattr(importlib.import_module(f"efficientpose.{module}"), name)
        assert getattr(efficientpose.runtime, name) is expected


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match=r"module 'efficientpose\.runtime' has no attribute 'PoseEstimatr'"):
        efficientpose.runtime.PoseEstimatr  # noqa: B018


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import efficientpose.runtime", set()),
        ("from efficientpose.runtime import *", {"cv2", "numpy"}),
    ],
)
def test_the_package_alone_loads_nothing_and_its_names_little(code, expected):
    code += """
import sys
print(*{name.split(".")[0] for name in sys.modules})
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(output.split())
    assert "efficientpose" in loaded
    assert loaded & {"cv2", "numpy", "onnxruntime", "torch", "torchvision", "scipy", "matplotlib"} == expected
    assert not [name for name in loaded if name.startswith("mm") and name not in sys.stdlib_module_names]


WITHOUT_TORCH = """
import sys

class Refusal:
    packages = ("torch", "torchvision", "mmcv", "mmdet", "mmengine", "mmpose", "mmpretrain")

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.packages:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Refusal())
for package in Refusal.packages:
    try:
        __import__(package)
    except ImportError:
        continue
    raise AssertionError(f"{package} can be imported")

model, picture, video, folder = sys.argv[1:]
import cv2
from efficientpose.runtime import PoseEstimator
(pose,) = PoseEstimator(model, threads=1).predict(cv2.imread(picture))
print(pose.keypoints.shape)

from efficientpose.cli import main
sys.exit(main(["predict", picture, video, "--model", model, "--out", folder]))
"""


def test_where_neither_torch_nor_mmpose_can_be_imported_poses_are_found(make_model, make_video, tmp_path):
    pytest.importorskip("onnxruntime")
    picture, out = tmp_path / "photo.png", tmp_path / "out"
    cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    paths = (make_model(), picture, make_video(num_frames=3), out)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("(16, 3)\n")
    (image,) = json.loads((out / "predictions.json").read_text())["images"]
    assert len(image["instances"]) == 1
    assert len((out / "clip_pose.jsonl").read_text().splitlines()) == 3
