"""Heatmaps of the released networks on photographs, decoded to the keypoints that the released code found."""

import json
from pathlib import Path

import numpy as np
import pytest

from efficientpose.core.decoding import SparsePeakFinder, make_axis_matrices

IMAGES = ("official_sample.jpg", "person1.jpg", "004645041.jpg", "060754485.jpg")


def recorded_keypoints(shared: Path, variant: str, image: str) -> np.ndarray:
    return np.array(json.loads((shared / "golden" / "keypoints.json").read_text())[variant][image])


@pytest.mark.parametrize("variant", ["RT", "I", "II"])
@pytest.mark.parametrize("image", IMAGES)
def test_crops_decode_as_released(shared, variant, image):
    heatmaps = np.load(shared / "golden" / f"outputs_{variant}.npz")[f"{image}/heatmap2"][None]
    expected = recorded_keypoints(shared, variant, image)
    found = SparsePeakFinder(heatmaps.shape[2:]).find(heatmaps)
    np.testing.assert_array_equal(found.keypoints[0] + 0.5, expected[:, :2])
    np.testing.assert_allclose(found.scores[0], expected[:, 2], atol=1e-6)


@pytest.mark.parametrize("variant", ["RT_LITE", "I_LITE", "II_LITE", "RT"])
def test_a_crop_of_which_only_the_upsampled_maps_are_recorded_decodes_as_released(shared, variant):
    """Of the Lite variants; upsampling is undone, to what the float16 of the records leaves of it."""
    image = IMAGES[0]
    upsampled = np.load(shared / "golden" / f"outputs_{variant}.npz")[f"{image}/upscaled"].astype(np.float64)
    num_cells = upsampled.shape[-1] // 8
    along_axis = make_axis_matrices(num_cells, stride=8, blur_sigma=0).upsampled
    undo = np.linalg.pinv(along_axis)
    heatmaps = undo @ upsampled @ undo.T
    np.testing.assert_allclose(along_axis @ heatmaps @ along_axis.T, upsampled, atol=5e-4)
    expected = recorded_keypoints(shared, variant, image)
    found = SparsePeakFinder((num_cells, num_cells)).find(heatmaps[None])
    np.testing.assert_array_equal(found.keypoints[0] + 0.5, expected[:, :2])
    np.testing.assert_allclose(found.scores[0], expected[:, 2], atol=1e-4)
