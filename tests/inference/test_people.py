"""Everybody in one pass with the released weights, on photographs and scenes."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from people_scenes import (
    PeopleModels,
    draw_scenes,
    draw_standing_people,
    render_scene,
    score_scenes,
    time_people,
)

from efficientpose.core.shipped_files import config_path
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.paf_estimator import TorchPafEstimator


@pytest.fixture(scope="module")
def estimator(checkpoints):
    return TorchPafEstimator.load("i", weights=checkpoints["i"])


def test_one_person_as_by_the_crop(estimator, checkpoints, shared):
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        name = sorted(key for key in inputs.files if key.endswith("@256"))[0]
        image = np.ascontiguousarray(inputs[name][..., ::-1])
    estimator.shorter_side = 256
    found = estimator.predict(image)
    (single,) = TorchPoseEstimator.load("i", weights=checkpoints["i"]).predict(image)
    assert found
    both = (found[0].keypoints[:, 2] > 0.3) & (single.keypoints[:, 2] > 0.3)
    assert both.sum() >= 8
    np.testing.assert_allclose(found[0].keypoints[both, :2], single.keypoints[both, :2], atol=1.5)


def test_mirrored_scene_with_flip_test(checkpoints, shared):
    estimator = TorchPafEstimator.load("rt", weights=checkpoints["rt"], flip_test=True, shorter_side=224)
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        name = sorted(key for key in inputs.files if key.endswith("@224"))[0]
        image = np.ascontiguousarray(inputs[name][..., ::-1])
    maps = estimator.predict_maps(image)
    mirrored = estimator.predict_maps(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(np.sort(mirrored.heatmaps.max((1, 2))), np.sort(maps.heatmaps.max((1, 2))), atol=1e-4)


@pytest.fixture
def own_network(tmp_path):
    """A config of COCO's keypoints and random weights for it."""
    config = config_path("efficientpose_rt_coco.py")
    init_default_scope("mmpose")
    model = MODELS.build(Config.fromfile(config).model)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "own.pth")
    return config, tmp_path / "own.pth"


def test_keypoints_of_one_s_own(own_network):
    config, weights = own_network
    estimator = TorchPafEstimator.load(config=config, weights=weights)
    assert estimator.name == "efficientpose_rt_coco"
    assert estimator.shorter_side == 280
    assert estimator.skeleton.keypoint_names[:2] == ("nose", "left_eye")
    maps = estimator.predict_maps(np.full((96, 128, 3), 90, np.uint8))
    num_limbs = len(estimator.skeleton.limbs)
    assert (maps.heatmaps.shape[0], maps.pafs.shape[0]) == (17, 2 * num_limbs)
    # two people, drawn into the maps: joint k of the first in cell (4 + k, 4), of the second 20 cells to the right
    truth = np.array([[(8 * (4 + k) + 3.5, 8 * (4 + 2 * (k % 2)) + 3.5) for k in range(17)]] * 2)
    truth[1, :, 0] += 8 * 20
    people = estimator.model.decoder.group(*render_scene(truth, image_size=(512, 256), limbs=estimator.skeleton.limbs))
    assert len(people) == 2
    for person in people:
        distances = np.linalg.norm(np.array(person.keypoints) - truth, axis=2).max(axis=1)
        assert distances.min() < 4


def test_a_config_of_ours_is_its_variant(checkpoints):
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    by_name = TorchPafEstimator.load("rt", weights=checkpoints["rt"]).predict_maps(picture)
    config = config_path("efficientpose_rt_mpii.py")
    by_config = TorchPafEstimator.load(config=config, weights=checkpoints["rt"]).predict_maps(picture)
    np.testing.assert_array_equal(by_config.heatmaps, by_name.heatmaps)
    for_scenes = TorchPafEstimator.load(config=config_path("efficientpose_rt_bottomup.py"), weights=checkpoints["rt"])
    assert for_scenes.shorter_side == 288


def test_a_config_that_cannot_be_used(own_network, tmp_path):
    config, weights = own_network
    with pytest.raises(ValueError, match="give its weights too"):
        TorchPafEstimator.load(config=config)
    with pytest.raises(FileNotFoundError, match=r"absent\.py: no such config"):
        TorchPafEstimator.load(config=tmp_path / "absent.py", weights=weights)
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match="not a usable config"):
        TorchPafEstimator.load(config=tmp_path / "empty.py", weights=weights)


def test_nobody_in_grey(estimator):
    assert estimator.predict(np.full((200, 300, 3), 110, np.uint8)) == ()
    with pytest.raises(ValueError, match="leave out the 1 boxes"):
        estimator.predict(np.zeros((64, 64, 3), np.uint8), [[0, 0, 9, 9]])


def test_weights_without_fields(shared):
    with pytest.raises(ValueError, match="have no part affinity fields"):
        TorchPafEstimator.load("rt_lite", weights=shared / "official" / "keras" / "EfficientPoseRT_LITE.h5")


def test_a_perfect_network_s_people_are_all_found(estimator):
    for num_people in (1, 5, 12):
        keypoints = draw_standing_people(num_people, image_size=(1024, 512))
        people = estimator.model.decoder.group(*render_scene(keypoints, image_size=(1024, 512)))
        assert len(people) == num_people
        found = np.stack([person.keypoints for person in people])
        distances = np.linalg.norm(found[:, None] - keypoints[None], axis=3).mean(axis=2)
        assert distances.min(axis=0).max() < 3


@pytest.mark.slow
def test_both_routes_are_counted(estimator, checkpoints):
    models = PeopleModels(people=estimator, crops=TorchPoseEstimator.load("i", weights=checkpoints["i"]))
    scenes = draw_scenes("synthetic", lspet=None, num_people=2, num_scenes=1, size=200, seed=0)
    counts = score_scenes(models, scenes)
    assert {each.true_people for each in counts.values()} == {2}
    assert counts["crops"].found_people == 2
    times = time_people(models, num_people=2, num_rounds=1, seed=0)
    assert set(times) == {"network of one pass", "grouping", "crops"}
