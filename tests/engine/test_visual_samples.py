"""Pictures of truth and prediction: who is drawn, when, and where."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from efficientpose.core.drawing import LEFT_COLOUR, RIGHT_COLOUR
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.engine.visual_samples import VisualSamplesHook, draw_pair, tile, to_crop

RIGHT_WRIST, LEFT_WRIST = KEYPOINT_NAMES.index("right_wrist"), KEYPOINT_NAMES.index("left_wrist")


def make_sample(*, side):
    """A crop of the photograph's 100 × 100 px around (150, 50), at ``side`` px; only the wrists are drawn."""
    points = np.zeros((1, 16, 2), np.float32)
    points[0, RIGHT_WRIST], points[0, LEFT_WRIST] = (120, 20), (180, 80)
    seen = np.zeros((1, 16), np.float32)
    seen[0, [RIGHT_WRIST, LEFT_WRIST]] = 1
    sample = PoseDataSample(
        metainfo=dict(input_center=np.array([150, 50]), input_scale=np.array([100, 100]), input_size=(side, side))
    )
    sample.gt_instances = InstanceData(keypoints=points, keypoints_visible=seen)
    shifted = points + np.array([0, 40], np.float32)
    sample.pred_instances = InstanceData(keypoints=shifted, keypoint_scores=np.where(seen > 0, 0.9, 0.0))
    return sample


def colour_at(picture, x, y):
    return tuple(int(value) for value in picture[y, x])


def test_points_go_where_the_crop_shows_them():
    """The crop's corner is (100, 0) in the photograph and (0, 0) in the input, its centre (150, 50) and (100, 100)."""
    metainfo = dict(input_center=[150, 50], input_scale=[100, 100], input_size=(200, 200))
    points = np.array([[100.0, 0.0], [150.0, 50.0], [110.0, 90.0]])
    assert to_crop(points, metainfo).tolist() == [[0, 0], [100, 100], [20, 180]]


def test_truth_is_left_and_prediction_right():
    picture = draw_pair(torch.full((3, 200, 200), 7, dtype=torch.uint8), make_sample(side=200))
    assert picture.shape == (200, 400, 3)
    assert colour_at(picture, 40, 40) == RIGHT_COLOUR
    assert colour_at(picture, 160, 160) == LEFT_COLOUR
    assert colour_at(picture, 200 + 40, 120) == RIGHT_COLOUR
    assert colour_at(picture, 200 + 40, 40) == (7, 7, 7)
    assert colour_at(picture, 40, 120) == (7, 7, 7)


def test_large_crops_are_shrunk():
    picture = draw_pair(torch.zeros((3, 512, 512), dtype=torch.uint8), make_sample(side=512))
    assert picture.shape == (256, 512, 3)
    assert colour_at(picture, round(0.2 * 256), round(0.2 * 256)) == RIGHT_COLOUR


def test_tiles():
    one, two, three = (np.full((2, 3, 3), value, np.uint8) for value in (1, 2, 3))
    tiled = tile([one, two, three], num_columns=2)
    assert tiled.shape == (2 * (2 + 4), 2 * (3 + 4), 3)
    assert tiled[2::6, 2::7, 0].tolist() == [[1, 2], [3, 0]]
    assert tiled[1, 1].tolist() == tiled[4, 3].tolist() == [255, 255, 255]
    assert tile([one], num_columns=4).shape == (6, 7, 3)


@pytest.mark.parametrize(
    ("interval", "val_interval", "expected"),
    [
        (1, 1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (3, 1, [3, 6, 9, 10]),
        (4, 2, [4, 8, 10]),
        (4, 3, [6, 9, 10]),  # 4 and 8 are passed before the validations at 6 and 9
        (100, 5, [10]),
    ],
)
def test_when_it_draws(interval, val_interval, expected):
    hook = VisualSamplesHook(interval=interval)
    epochs = [epoch for epoch in range(1, 11) if epoch % val_interval == 0 or epoch == 10]
    runners = [SimpleNamespace(epoch=epoch, max_epochs=10, val_interval=val_interval) for epoch in epochs]
    assert [runner.epoch for runner in runners if hook._is_due(runner)] == expected


def test_training_writes_a_picture(make_runner):
    overrides = {
        "default_hooks.visual_samples": dict(type="VisualSamplesHook", interval=1, num_people=3),
        "visualizer.vis_backends": [dict(type="LocalVisBackend")],
    }
    runner = make_runner(overrides, validate=True)
    runner.train()
    pictures = sorted(Path(runner.work_dir).glob("*/vis_data/vis_image/*.png"))
    assert [path.name for path in pictures] == ["people_1.png", "people_2.png"]
    first, second = (cv2.imread(str(path)) for path in pictures)
    assert first.shape == (2 + 32 + 2, 3 * (2 + 32 + 32 + 2), 3)
    for person in range(3):  # the truth is the same in both, for the same people are drawn
        left = 68 * person + 2
        truth = np.s_[2:34, left : left + 32]
        assert np.array_equal(first[truth], second[truth])
        loader = runner.val_dataloader
        crop = loader.dataset[person * 8 // 3]["inputs"].permute(1, 2, 0).numpy()
        assert (first[truth] == crop).all(axis=2).mean() > 0.2  # what the skeleton leaves free


def test_bad_settings():
    with pytest.raises(ValueError, match="interval and num_people must be at least 1, got 0 and 8"):
        VisualSamplesHook(interval=0)
