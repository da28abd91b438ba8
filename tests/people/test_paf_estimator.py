"""Everybody in a picture with a model file, behind an engine that gives known maps."""

import numpy as np
import pytest
import torch
from track_switches import STANDING

from efficientpose.codecs.targets import render_heatmaps, render_pafs
from efficientpose.core.scenes import fit_into, with_shorter_side
from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES, LIMBS
from efficientpose.people.paf_estimator import PafEstimator
from efficientpose.runtime.metadata import MetadataError, ModelMetadata

INPUT_SIZE = (320, 256)
PEOPLE = 200 * STANDING + np.array([(90, 120), (230, 130)])[:, None]


def draw_maps(people, *, shape):
    """What a perfect network would give."""
    points = torch.from_numpy(np.asarray(people, np.float32).reshape(-1, 16, 2))
    heatmaps, pafs = torch.zeros(1, 16, *shape), torch.zeros(1, 28, *shape)
    if len(points):
        heatmaps = render_heatmaps(points, map_shape=shape, stride=8, sigma=13.0)
        pafs = render_pafs(points, LIMBS, map_shape=shape, stride=8, half_width=8.0)
    return heatmaps.amax(dim=0).numpy(), pafs.sum(dim=0).numpy()


class Engine:
    """Gives the maps of people in the input's frame, and keeps what it was given."""

    input_dtype = np.dtype(np.float32)

    def __init__(self, people, *, batch_size=None, **metadata):
        entries = dict(
            variant="rt", version="0", keypoint_names=KEYPOINT_NAMES, limbs=tuple(map(tuple, LIMBS)),
            flip_indices=FLIP_INDICES, input_size=INPUT_SIZE, input_layout="nchw", mean=None, std=None,
            heatmap_stride=8, has_pafs=True, sigma=0.05, blur_sigma=1.0, precision="float32", weights="none",
        )  # fmt: skip
        self.metadata = ModelMetadata(**entries | metadata)
        self.batch_size = batch_size
        self.maps = draw_maps(people, shape=(INPUT_SIZE[1] // 8, INPUT_SIZE[0] // 8))
        self.given = []

    def infer(self, batch):
        self.given.append(batch)
        return tuple(np.repeat(maps[None], len(batch), axis=0) for maps in self.maps)


def test_everybody_in_the_picture_s_frame():
    engine = Engine(PEOPLE)
    image = np.zeros((400, 640, 3), np.uint8)
    poses = PafEstimator(engine).predict(image)
    # 640 × 400 fits at half its size, 320 × 200, in the middle of 320 × 256.
    truth = (PEOPLE - (160, 128)) * 2 + (320, 200)
    assert len(poses) == 2
    for pose in poses:
        distances = np.linalg.norm(truth - pose.keypoints[:, :2], axis=2).mean(axis=1)
        inside = pose.keypoints[:, 2] > 0
        true = truth[distances.argmin()]
        np.testing.assert_allclose(pose.keypoints[inside, :2], true[inside], atol=4)
        # Ankles at 216 and heads at 20 of 256 lie beyond the picture, which reaches from 28 to 228.
        assert inside.tolist() == [bool(0 <= y <= 400) for _, y in true]
        assert (pose.bbox >= 0).all()
        assert pose.score > 0.4
    assert engine.given[0].shape == (1, 3, 256, 320)


def test_nobody_and_fixed_batches():
    engine = Engine([], batch_size=2)
    assert PafEstimator(engine).predict(np.zeros((256, 320, 3), np.uint8)) == ()
    assert engine.given[0].shape == (2, 3, 256, 320)


def test_flip_test_averages_with_the_mirrored_scene():
    """An engine that gives the same maps for both: one person at 90 makes another, of half the score, at 319 − 90."""
    estimator = PafEstimator(Engine(PEOPLE[:1]), flip_test=True)
    image = np.random.default_rng(0).integers(0, 256, (256, 320, 3), dtype=np.uint8)
    poses = sorted(estimator.predict(image), key=lambda pose: pose.keypoints[0, 0])
    first, second = estimator._engine.given
    np.testing.assert_array_equal(second, first[..., ::-1])
    for pose, true in zip(poses, (PEOPLE[0], PEOPLE[0] + (229 - 90, 0)), strict=True):
        np.testing.assert_allclose(pose.keypoints[:, :2], true, atol=3)
        assert pose.keypoints[:, 2].max() <= 0.5


def test_maps_and_boxes():
    estimator = PafEstimator(Engine(PEOPLE))
    image = np.zeros((256, 320, 3), np.uint8)
    maps = estimator.predict_maps(image)
    assert maps.crop.shape == (256, 320, 3)
    assert maps.heatmaps.shape == (16, 32, 40)
    assert maps.pafs.shape == (28, 32, 40)
    with pytest.raises(ValueError, match="leave out the 1 boxes"):
        estimator.predict(image, [[0, 0, 9, 9]])
    with pytest.raises(ValueError, match="leave out the box"):
        estimator.predict_maps(image, [0, 0, 9, 9])
    with pytest.raises(ValueError, match="uint8, BGR"):
        estimator.predict(image.astype(float))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (dict(has_pafs=False), "has no part affinity fields and heatmaps at stride 8"),
        (dict(heatmap_stride=1), "heatmaps at stride 1"),
    ],
)
def test_files_that_do_not_serve(entries, message):
    with pytest.raises(MetadataError, match=message):
        PafEstimator(Engine([], **entries))


def test_other_keypoints_are_grouped_by_their_limbs():
    estimator = PafEstimator(Engine(PEOPLE, keypoint_names=tuple("abcdefghijklmnop")))
    assert estimator.skeleton.keypoint_names[0] == "a"
    poses = estimator.predict(np.zeros((256, 320, 3), np.uint8))
    assert len(poses) == len(PEOPLE)
    assert poses[0].keypoints[6, 2] == 0  # nobody says that the seventh is a pelvis, which is on no limb


def test_frames():
    frame = fit_into((640, 400), (320, 256))
    assert frame.zoom == 0.5
    np.testing.assert_allclose(frame.to_image(np.array([160.0, 128.0])), (320, 200))
    frame = with_shorter_side((1920, 1080), shorter_side=360)
    assert frame.input_size == (640, 360)
    assert with_shorter_side((1000, 700), shorter_side=300).input_size == (432, 304)
    with pytest.raises(ValueError, match="at least 8 pixels, got 4"):
        with_shorter_side((10, 10), shorter_side=4)


def test_a_mark_lands_where_the_frame_says():
    image = np.zeros((400, 640, 3), np.uint8)
    image[298:303, 438:443] = 255
    for frame in (fit_into((640, 400), (320, 256)), with_shorter_side((640, 400), shorter_side=600)):
        scene = frame.cut(image)[..., 0]
        assert scene.shape == frame.input_size[::-1]
        y, x = np.argwhere(scene > 127).mean(axis=0)
        np.testing.assert_allclose(frame.to_image(np.array([x, y])), (440, 300), atol=1)


@pytest.mark.parametrize("zoom", [0.18, 0.3, 0.8])
def test_a_large_scene_is_shrunk_without_aliases_and_nothing_moves(zoom):
    rows, columns = np.indices((1000, 1600))
    mark = np.hypot(columns - 1103, rows - 740) <= 30
    pattern = 60 * ((rows + columns) % 2)  # of single pixels
    image = np.where(mark, 255, pattern).astype(np.uint8)[..., None].repeat(3, axis=2)
    frame = with_shorter_side((1600, 1000), shorter_side=round(1000 * zoom))
    scene = frame.cut(image)[..., 0].astype(float)
    y, x = np.argwhere(scene > 150).mean(axis=0)
    np.testing.assert_allclose(frame.to_image(np.array([x, y])), (1103, 740), atol=1)
    if zoom < 0.5:
        np.testing.assert_allclose(scene[10:60, 10:60], 30, atol=3)


def test_same_geometry_as_mmpose():
    from mmpose.datasets.transforms import BottomupResize

    image = np.random.default_rng(0).integers(0, 256, (333, 517, 3), dtype=np.uint8)
    results = dict(img=image, ori_shape=(333, 517), img_shape=(333, 517))
    theirs = BottomupResize(input_size=(288, 288), size_factor=8, resize_mode="expand").transform(results)
    frame = with_shorter_side((517, 333), shorter_side=288)
    assert theirs["input_size"] == frame.input_size
    ours = frame.cut(image).astype(int)
    assert np.abs(ours - theirs["img"]).max() <= 2
