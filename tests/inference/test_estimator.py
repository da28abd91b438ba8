"""One pose whichever way it is asked for: our call, MMPose's functions, MMPose's inferencer, the released decoder."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmpose.apis import MMPoseInferencer, inference_topdown, init_model

from efficientpose import PoseEstimator
from efficientpose.core.decoding import blur_heatmap
from efficientpose.core.images import read_image
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.weights.released import KEYPOINT_ORDER

VARIANTS = ("rt", "i", "ii")
GOLDEN_IMAGES = ("official_sample.jpg", "person1.jpg", "004645041.jpg", "060754485.jpg")


@pytest.fixture(scope="module", params=VARIANTS)
def estimator(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> PoseEstimator:
    return PoseEstimator.load(request.param, weights=checkpoints[request.param])


@pytest.fixture(scope="module")
def photographs(shared: Path) -> list[Path]:
    return sorted((shared / "data" / "photos").glob("*.jpg")) + sorted(
        (shared / "data" / "mpii_mini" / "images").glob("*.jpg")
    )


def input_pixel(estimator: PoseEstimator, image: np.ndarray) -> float:
    """Image pixels per input pixel when the whole image is the person."""
    return max(image.shape[:2]) / estimator.model.cfg.input_size[0]


slow_for_ii = pytest.mark.parametrize(
    "estimator", ["rt", "i", pytest.param("ii", marks=pytest.mark.slow)], indirect=True, scope="module"
)


@pytest.mark.parametrize("name", GOLDEN_IMAGES)
def test_keypoints_and_scores_are_the_released_decoders(shared: Path, estimator: PoseEstimator, name: str) -> None:
    resolution = estimator.model.cfg.input_size[0]
    crop = np.load(shared / "golden" / "inputs.npz")[f"{name}@{resolution}"]
    (pose,) = estimator.predict(np.ascontiguousarray(crop[..., ::-1]))
    golden = json.loads((shared / "golden" / "keypoints.json").read_text())[estimator.name.upper()][name]
    expected = np.array(golden)[list(KEYPOINT_ORDER)]
    expected[:, :2] -= 0.5  # the released decoder counts from the pixel's corner
    np.testing.assert_allclose(pose.keypoints[:, :2], expected[:, :2], atol=0.01)
    np.testing.assert_allclose(pose.keypoints[:, 2], expected[:, 2], atol=1e-4)


@slow_for_ii
def test_our_call_mmpose_functions_and_inferencer_agree(
    estimator: PoseEstimator, checkpoints: dict[str, Path], photographs: list[Path]
) -> None:
    config, checkpoint = str(mpii_config_path(estimator.name)), str(checkpoints[estimator.name])
    model = init_model(config, checkpoint, device="cpu")
    inferencer = MMPoseInferencer(
        pose2d=config, pose2d_weights=checkpoint, det_model="whole_image", device="cpu", show_progress=False
    )
    for path in photographs:
        image = read_image(path)
        (ours,) = estimator.predict(path)
        half = 0.5 * input_pixel(estimator, image)
        (sample,) = inference_topdown(model, image)
        np.testing.assert_allclose(sample.pred_instances.keypoints[0], ours.keypoints[:, :2], atol=half)
        ((person,),) = next(inferencer(str(path)))["predictions"]
        np.testing.assert_allclose(person["keypoints"], ours.keypoints[:, :2], atol=half)
        np.testing.assert_allclose(person["keypoint_scores"], ours.keypoints[:, 2], atol=1e-4)


def test_a_turned_photograph_gives_the_same_pose_through_mmpose(
    tmp_path: Path, checkpoints: dict[str, Path], shared: Path
) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.open(shared / "data" / "photos" / "person1.jpg")
    upright.rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    estimator = PoseEstimator.load("rt", weights=checkpoints["rt"])
    (turned,) = estimator.predict(tmp_path / "turned.jpg")
    (direct,) = estimator.predict(shared / "data" / "photos" / "person1.jpg")
    np.testing.assert_allclose(turned.keypoints[:, :2], direct.keypoints[:, :2], atol=938 / 224 * 1.5)


def test_boxes_find_their_person_in_the_whole_scene(shared: Path, checkpoints: dict[str, Path]) -> None:
    estimator = PoseEstimator.load("i", weights=checkpoints["i"])
    photograph = read_image(shared / "data" / "photos" / "person1.jpg")
    height, width = photograph.shape[:2]
    scene = np.full((height + 200, 2 * width + 300, 3), 128, np.uint8)
    scene[100 : 100 + height, 50 : 50 + width] = photograph
    scene[150 : 150 + height, 250 + width : 250 + 2 * width] = photograph
    left_box = (50, 100, 50 + width, 100 + height)
    right_box = (250 + width, 150, 250 + 2 * width, 150 + height)
    left, right = estimator.predict(scene, [left_box, right_box])
    (alone,) = estimator.predict(scene, [right_box])
    np.testing.assert_allclose(right.keypoints[:, :2], alone.keypoints[:, :2], atol=1e-3)
    assert tuple(left.bbox) == left_box
    np.testing.assert_allclose(left.keypoints[:, :2] + (200 + width, 50), right.keypoints[:, :2], atol=12)


def test_flip_test_makes_the_mirrored_photograph_the_mirrored_pose(shared: Path, checkpoints: dict[str, Path]) -> None:
    from efficientpose.core.skeleton import FLIP_INDICES

    estimator = PoseEstimator.load("rt", weights=checkpoints["rt"], flip_test=True)
    crop = np.load(shared / "golden" / "inputs.npz")["official_sample.jpg@224"][..., ::-1]
    (pose,) = estimator.predict(np.ascontiguousarray(crop))
    (mirrored,) = estimator.predict(np.ascontiguousarray(crop[:, ::-1]))
    expected = pose.keypoints[list(FLIP_INDICES), :2].copy()
    expected[:, 0] = 223 - expected[:, 0]
    np.testing.assert_allclose(mirrored.keypoints[:, :2], expected, atol=0.01)
    plain = PoseEstimator.load("rt", weights=checkpoints["rt"])
    assert not np.allclose(plain.predict(np.ascontiguousarray(crop))[0].keypoints, pose.keypoints)


def test_maps_are_those_the_pose_is_read_from(shared: Path, checkpoints: dict[str, Path]) -> None:
    estimator = PoseEstimator.load("rt", weights=checkpoints["rt"])
    crop = np.load(shared / "golden" / "inputs.npz")["person1.jpg@224"][..., ::-1]
    maps = estimator.predict_maps(np.ascontiguousarray(crop))
    np.testing.assert_array_equal(maps.crop, crop)
    assert maps.heatmaps.shape == (16, 224, 224)
    assert maps.pafs.shape == (28, 28, 28)
    (pose,) = estimator.predict(np.ascontiguousarray(crop))
    peaks = [np.unravel_index(heatmap.argmax(), heatmap.shape)[::-1] for heatmap in maps.heatmaps]
    np.testing.assert_allclose(pose.keypoints[:, :2], peaks, atol=2)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, 0, 5]], "is empty"),
        ([[5, 5, 4, 9]], "is empty"),
        ([[5, 5, 5.001, 9]], "is empty"),
        ([[-1e30, -1e30, 1e30, 1e30]], "over 10 times as large"),
        ([[0, 0, float("nan"), 5]], "is empty"),
        ([[900, 0, 950, 40]], "lies outside the image of 60 x 40"),
        ([[1, 2, 3]], "x1, y1, x2, y2"),
        ([], "x1, y1, x2, y2"),
    ],
)
def test_bad_boxes_are_refused(untrained_checkpoint: Path, boxes: list, message: str) -> None:
    estimator = PoseEstimator.load("rt", weights=untrained_checkpoint)
    with pytest.raises(ValueError, match=message):
        estimator.predict(np.zeros((40, 60, 3), np.uint8), boxes)


def test_bad_arrays_and_devices_are_refused(untrained_checkpoint: Path) -> None:
    estimator = PoseEstimator.load("rt", weights=untrained_checkpoint)
    with pytest.raises(ValueError, match=r"got \(40, 60\) uint8"):
        estimator.predict(np.zeros((40, 60), np.uint8))
    with pytest.raises(ValueError, match=r"got \(40, 60, 3\) float32"):
        estimator.predict(np.zeros((40, 60, 3), np.float32))
    with pytest.raises(ValueError, match=r"device 'abacus' cannot be used"):
        PoseEstimator.load("rt", weights=untrained_checkpoint, device="abacus")


def test_a_checkpoint_of_another_variant_is_refused(untrained_checkpoint: Path) -> None:
    with pytest.raises(ValueError, match=r"is of EfficientPose RT, not I: use --model rt"):
        PoseEstimator.load("i", weights=untrained_checkpoint)


def test_a_network_of_ones_own_needs_its_weights(repository: Path, tmp_path: Path) -> None:
    config = repository / "configs" / "ablations" / "efficientpose_i_no_paf_mpii.py"
    with pytest.raises(ValueError, match="give its weights too"):
        PoseEstimator.load("i", config=config)
    model = init_model(str(config), device="cpu")
    import torch

    torch.save({"state_dict": model.state_dict(), "meta": {}}, tmp_path / "own.pth")
    estimator = PoseEstimator.load("rt", config=config, weights=tmp_path / "own.pth")
    assert estimator.name == "efficientpose_i_no_paf_mpii"
    image = np.zeros((64, 64, 3), np.uint8)
    assert estimator.predict(image)[0].keypoints.shape == (16, 3)
    assert estimator.predict_maps(image).pafs is None


@slow_for_ii
def test_further_peaks_are_local_maxima_of_the_heatmaps(estimator: PoseEstimator, photographs: list[Path]) -> None:
    """The first is the keypoint; at the others the upsampled, blurred heatmap is as high as all around."""
    several = PoseEstimator(estimator.model, name=estimator.name, num_peaks=3)
    images = [read_image(path) for path in photographs]
    try:
        found = [several.predict(image)[0] for image in images]
    finally:
        del estimator.model.test_cfg["output_heatmaps"]
    num_further = 0
    for image, pose in zip(images, found, strict=True):
        (plain,) = estimator.predict(image)
        assert plain.peaks is None
        np.testing.assert_allclose(pose.keypoints, plain.keypoints, atol=1e-3)
        np.testing.assert_allclose(pose.peaks[:, 0], pose.keypoints, atol=1e-3)
        heatmaps = estimator.predict_maps(image).heatmaps.astype(np.float64)  # at the input's resolution
        pixel = input_pixel(estimator, image)
        corner = (np.array(image.shape[1::-1]) - 1) / 2 - (heatmaps.shape[-1] - 1) / 2 * pixel
        for keypoint, place in np.argwhere(np.isfinite(pose.peaks[:, 1:, 0])):
            x, y = np.rint((pose.peaks[keypoint, 1 + place, :2] - corner) / pixel).astype(int)
            blurred = blur_heatmap(heatmaps[keypoint], sigma=1.0)
            patch = blurred[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
            assert patch.max() == pytest.approx(blurred[y, x], rel=0.02)
            num_further += 1
    assert num_further > 5
