"""An ONNX file for rtmlib gives our keypoints there."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from efficientpose.core.images import read_image
from efficientpose.export.deployed import ExportOptions, resampling_matrix
from efficientpose.export.files import export_files
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.models.upsampling import BilinearUpsampler


def test_resampling_is_the_upsampling_and_a_border_of_zeros():
    maps = torch.randn(2, 3, 6, 4)
    resampled = resampling_matrix(48) @ maps @ resampling_matrix(32).T
    torch.testing.assert_close(resampled, F.pad(BilinearUpsampler()(maps), (0, 1, 0, 1)))


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "opencv"])
def test_keypoints_in_rtmlib(shared, checkpoints, tmp_path, backend):
    """Ours are whole pixels of the crop, rtmlib's lie between: at most half a pixel along each axis, nearly always."""
    rtmlib = pytest.importorskip("rtmlib")
    if backend != "opencv":
        pytest.importorskip(backend)
    estimator = TorchPoseEstimator.load("rt", weights=checkpoints["rt"])
    photograph = read_image(shared / "data" / "photos" / "person1.jpg")
    # the crop is then as large as the picture: where it is smaller ours is freed of aliases, rtmlib's is not
    scale = 224 / (1.25 * 0.9 * max(photograph.shape[:2]))
    picture = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    box = [0.1 * width, 0.05 * height, 0.9 * width, 0.95 * height]
    crops = np.zeros((1, 224, 224, 3), np.uint8)
    crops[:, 50:150, 90:130] = 200
    options = ExportOptions(layout="rtmlib")
    (exported,) = export_files(
        estimator.model, options, formats=["onnx"], folder=tmp_path, name="rt", weights="released", crops=crops
    )
    pose_class = rtmlib.ViTPose(str(exported.path), model_input_size=(224, 224), backend=backend)
    keypoints, scores = pose_class(picture, [box])
    (ours,) = estimator.predict(picture, [box])
    pixel = 1.25 * max(box[2] - box[0], box[3] - box[1]) / 224
    offsets = (keypoints[0] - ours.keypoints[:, :2]) / pixel
    assert np.abs(offsets).max() < 1.0
    assert np.median(np.linalg.norm(offsets, axis=1)) < 0.6
    assert np.abs(offsets.mean(axis=0)).max() < 0.25
    np.testing.assert_allclose(scores[0], ours.keypoints[:, 2], atol=0.02)
