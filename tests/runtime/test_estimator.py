"""Known squares in, known keypoints out: with every way to ask, and with files that break their promise."""

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from efficientpose.core.images import ImageError
from efficientpose.core.poses import StagedEstimator
from efficientpose.runtime.estimator import PoseEstimator
from efficientpose.runtime.metadata import MetadataError


@pytest.fixture(autouse=True)
def needed():
    pytest.importorskip("onnxruntime")


def scene(scale: int = 1) -> np.ndarray:
    """A red square around (19.5, 43.5) and a blue one around (59.5, 27.5): a cell of stride 8 each."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[40:48, 16:24, 2] = 250
    image[24:32, 56:64, 0] = 200
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


def check(pose, red, blue, *, atol=0.51):
    for joint in range(16):
        np.testing.assert_allclose(pose.keypoints[joint, :2], blue if joint % 2 else red, atol=atol)


def test_peaks_are_where_the_squares_are(make_model):
    (pose,) = PoseEstimator(make_model(), threads=1).predict(scene())
    check(pose, (19.5, 43.5), (59.5, 27.5))
    assert pose.bbox.tolist() == [0, 0, 64, 64]
    assert pose.keypoints.shape == (16, 3)
    assert pose.keypoints.dtype == np.float32
    # The upsampler spreads a cell: a quarter of its height is lost along each axis, or less.
    assert 0.5 < pose.keypoints[0, 2] < 250 / 255
    assert pose.keypoints[1, 2] == pytest.approx(pose.keypoints[0, 2] * 200 / 250, abs=0.02)


def test_a_larger_picture_gives_larger_coordinates(make_model):
    estimator = PoseEstimator(make_model(), threads=1)
    (small,), (large,) = estimator.predict(scene()), estimator.predict(scene(3))
    # Pixel i of the crop is the mean of pixels 3 i to 3 i + 2 of the picture.
    np.testing.assert_allclose(large.keypoints[:, :2], 3 * small.keypoints[:, :2] + 1, atol=1e-4)
    check(large, (3 * 19.5, 3 * 43.5), (3 * 59.5, 3 * 27.5), atol=1.51)


def test_boxes_pictures_and_batches_agree(make_model, tmp_path):
    estimator = PoseEstimator(make_model(), threads=1)
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(2))
    cv2.imwrite(str(tmp_path / "first.png"), first)
    boxes = [[10, 10, 60, 80], [40, 5, 110, 60]] * 10  # more than one batch
    several = estimator.predict(first, boxes)
    for box, pose in zip(boxes, several, strict=True):
        (alone,) = estimator.predict(tmp_path / "first.png", [box])
        np.testing.assert_allclose(alone.keypoints, pose.keypoints, atol=1e-4)
        assert pose.bbox.tolist() == box
    both = estimator.predict_batch([first, second], [boxes[:2], None])
    assert [len(poses) for poses in both] == [2, 1]
    np.testing.assert_allclose(both[1][0].keypoints, estimator.predict(second)[0].keypoints, atol=1e-4)
    assert not np.allclose(both[0][0].keypoints, both[0][1].keypoints)
    assert estimator.predict_batch([]) == ()


def test_a_network_of_a_fixed_batch_size_gives_the_same(make_model):
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    boxes = [[10, 10, 60, 80], [40, 5, 110, 60], [0, 0, 50, 50]]
    any_size = PoseEstimator(make_model("any.onnx"), threads=1).predict(image, boxes)
    pairs = PoseEstimator(make_model("pairs.onnx", batch=2), threads=1).predict(image, boxes)
    for one, other in zip(any_size, pairs, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-4)


@pytest.mark.parametrize("flip_test", [False, True])
def test_the_steps_together_are_the_prediction(make_model, flip_test):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
    boxes = np.column_stack((rng.uniform(0, 40, (19, 2)), rng.uniform(50, 90, (19, 2))))  # more than one batch
    estimator = PoseEstimator(make_model("one.onnx"), flip_test=flip_test)
    assert isinstance(estimator, StagedEstimator)
    cut = estimator.prepare(picture, boxes)
    stepwise = estimator.finish(cut, estimator.infer(cut))
    whole = estimator.predict(picture, boxes)
    assert len(stepwise) == len(whole) == 19
    for ours, theirs in zip(stepwise, whole, strict=True):
        np.testing.assert_array_equal(ours.bbox, theirs.bbox)
        np.testing.assert_array_equal(ours.keypoints, theirs.keypoints)


def test_flip_test_is_the_mean_with_the_mirrored_and_swapped_maps(make_model, metadata):
    swaps = tuple(joint ^ 1 for joint in range(16))  # red and blue heatmaps take turns
    estimator = PoseEstimator(make_model(flip_indices=swaps), threads=1, flip_test=True)
    (pose,) = estimator.predict(scene())
    # Turned back and swapped, the mirrored maps of red add to those of blue, where red is the higher.
    check(pose, (19.5, 43.5), (19.5, 43.5))
    (plain,) = PoseEstimator(make_model(), threads=1).predict(scene())
    np.testing.assert_allclose(pose.keypoints[0, 2], plain.keypoints[0, 2] / 2, atol=1e-4)


def test_full_maps_are_read_as_they_are(make_model):
    estimator = PoseEstimator(make_model(stride=1, heatmap_stride=1), threads=1)
    image = np.zeros((64, 64, 3), np.uint8)
    image[17, 33] = (0, 0, 255)
    image[50, 3] = (255, 0, 0)
    (pose,) = estimator.predict(image)
    check(pose, (33, 17), (3, 50), atol=1e-4)
    np.testing.assert_allclose(pose.keypoints[:, 2], 1, atol=1e-4)


def test_maps_are_what_the_pose_is_read_from(make_model):
    estimator = PoseEstimator(make_model(), threads=1)
    maps = estimator.predict_maps(scene())
    np.testing.assert_array_equal(maps.crop, scene())
    assert maps.heatmaps.shape == (16, 8, 8)
    assert maps.pafs is None
    assert np.unravel_index(maps.heatmaps[0].argmax(), (8, 8)) == (5, 2)


def test_files_that_break_their_promise_are_refused(make_model):
    image = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(MetadataError, match=r"its outputs are \[\(1, 16, 8, 8\)\], but its entry promises heatmaps of"):
        PoseEstimator(make_model(heatmap_stride=1), threads=1).predict(image)
    with pytest.raises(MetadataError, match="and part affinity fields; export it again"):
        PoseEstimator(make_model(has_pafs=True), threads=1).predict(image)


def test_a_file_of_other_keypoints_is_used_as_it_says(make_model):
    names = tuple(f"joint{number}" for number in range(16))
    estimator = PoseEstimator(make_model(keypoint_names=names, limbs=((0, 15),)), threads=1)
    assert estimator.skeleton.keypoint_names == names
    assert estimator.skeleton.named_limbs == (("joint0", "joint15"),)
    assert estimator.predict(np.zeros((64, 64, 3), np.uint8))[0].keypoints.shape == (16, 3)


def test_bad_pictures_and_boxes_are_refused(make_model, tmp_path):
    estimator = PoseEstimator(make_model(), threads=1)
    image = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(ValueError, match=r"got \(40, 60\) uint8"):
        estimator.predict(image[..., 0])
    with pytest.raises(ValueError, match=r"got None; cv2\.imread gives None for a file that it cannot read"):
        estimator.predict(cv2.imread(str(tmp_path / "nowhere.jpg")))
    with pytest.raises(ValueError, match=r"an image is a file's path, or \(height, width, 3\) uint8, BGR; got \[1\]$"):
        estimator.predict_maps([1])
    with pytest.raises(ValueError, match="is empty"):
        estimator.predict(image, [[0, 0, 0, 5]])
    with pytest.raises(ValueError, match="boxes must be numbers x1, y1, x2, y2, got"):
        estimator.predict(image, [[10**400, 0, 5, 5]])
    with pytest.raises(ValueError, match="lies outside the image of 60 x 40"):
        estimator.predict_maps(image, [900, 0, 950, 40])
    with pytest.raises(ValueError, match="2 images need boxes for each, or None, got boxes for 1"):
        estimator.predict_batch([image, image], [None])
    with pytest.raises(ImageError, match=r"nowhere\.jpg: cannot be read"):
        estimator.predict(tmp_path / "nowhere.jpg")


IMPORT_AND_PREDICT = """
import sys, time
start = time.perf_counter()
import cv2, numpy, onnxruntime
libraries = time.perf_counter()
from efficientpose.runtime import PoseEstimator
import efficientpose.runtime.onnxruntime_engine
print((time.perf_counter() - libraries) / (libraries - start))
PoseEstimator(sys.argv[1], threads=1).predict(numpy.zeros((40, 60, 3), numpy.uint8))
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_importing_and_predicting_needs_neither_torch_nor_mmpose(make_model):
    command = [sys.executable, "-c", IMPORT_AND_PREDICT, str(make_model())]
    ratios = []
    for _ in range(3):
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        ratio, modules = output.splitlines()
        ratios.append(float(ratio))
    assert min(ratios) < 1, "our own modules take longer than NumPy, OpenCV and ONNX Runtime"
    assert not {"torch", "torchvision", "scipy", "matplotlib", "rich"} & set(modules.split())
    assert not [name for name in modules.split() if name.startswith("mm")]


def test_the_metadata_names_the_estimator(make_model, metadata):
    estimator = PoseEstimator(make_model(variant="ii_lite"), threads=1)
    assert (estimator.name, estimator.metadata) == ("ii_lite", replace(metadata, variant="ii_lite"))


@pytest.mark.parametrize("stride", [8, 1])
def test_further_peaks(make_model, stride):
    """Two red squares: the heatmaps of red have a peak at each; the keypoint, at the brighter one, comes first."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[8:16, 8:16, 2], image[40:48, 48:56, 2] = 255, 128
    model = make_model(heatmap_stride=stride, stride=stride)
    (pose,) = PoseEstimator(model, threads=1, num_peaks=3).predict(image)
    assert pose.peaks.shape == (16, 3, 3)
    np.testing.assert_array_equal(pose.peaks[:, 0], pose.keypoints)
    for peaks in pose.peaks[0::2]:
        np.testing.assert_allclose(peaks[:2, :2], [(11.5, 11.5), (51.5, 43.5)], atol=4)
        assert peaks[0, 2] > peaks[1, 2] > 0.2
        assert np.isnan(peaks[2]).all()
    (plain,) = PoseEstimator(model, threads=1).predict(image)
    assert plain.peaks is None
    np.testing.assert_array_equal(plain.keypoints, pose.keypoints)
