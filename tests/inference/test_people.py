"""Everybody in one pass with the released weights, on photographs and scenes."""

import numpy as np
import pytest

from efficientpose.inference.estimator import PoseEstimator
from efficientpose.inference.people import PeopleEstimator
from efficientpose.inference.people_scenes import (
    PeopleModels,
    draw_scenes,
    draw_standing_people,
    render_scene,
    score_scenes,
    time_people,
)


@pytest.fixture(scope="module")
def estimator(checkpoints):
    return PeopleEstimator.load("i", weights=checkpoints["i"])


def test_one_person_as_by_the_crop(estimator, checkpoints, shared):
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        name = sorted(key for key in inputs.files if key.endswith("@256"))[0]
        image = np.ascontiguousarray(inputs[name][..., ::-1])
    estimator.shorter_side = 256
    found = estimator.predict(image)
    (single,) = PoseEstimator.load("i", weights=checkpoints["i"]).predict(image)
    assert found
    both = (found[0].keypoints[:, 2] > 0.3) & (single.keypoints[:, 2] > 0.3)
    assert both.sum() >= 8
    np.testing.assert_allclose(found[0].keypoints[both, :2], single.keypoints[both, :2], atol=1.5)


def test_mirrored_scene_with_flip_test(checkpoints, shared):
    estimator = PeopleEstimator.load("rt", weights=checkpoints["rt"], flip_test=True, shorter_side=224)
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        name = sorted(key for key in inputs.files if key.endswith("@224"))[0]
        image = np.ascontiguousarray(inputs[name][..., ::-1])
    maps = estimator.predict_maps(image)
    mirrored = estimator.predict_maps(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(np.sort(mirrored.heatmaps.max((1, 2))), np.sort(maps.heatmaps.max((1, 2))), atol=1e-4)


def test_nobody_in_grey(estimator):
    assert estimator.predict(np.full((200, 300, 3), 110, np.uint8)) == ()
    with pytest.raises(ValueError, match="leave out the 1 boxes"):
        estimator.predict(np.zeros((64, 64, 3), np.uint8), [[0, 0, 9, 9]])


def test_weights_without_fields(shared):
    with pytest.raises(ValueError, match="have no part affinity fields"):
        PeopleEstimator.load("rt_lite", weights=shared / "official" / "keras" / "EfficientPoseRT_LITE.h5")


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
    models = PeopleModels(people=estimator, crops=PoseEstimator.load("i", weights=checkpoints["i"]))
    scenes = draw_scenes("synthetic", lspet=None, num_people=2, num_scenes=1, size=200, seed=0)
    counts = score_scenes(models, scenes)
    assert {each.true_people for each in counts.values()} == {2}
    assert counts["crops"].found_people == 2
    times = time_people(models, num_people=2, num_rounds=1, seed=0)
    assert set(times) == {"network of one pass", "grouping", "crops"}
    with pytest.raises(ValueError, match="say where LSP Extended is"):
        draw_scenes("overlapping", lspet=None, num_people=2, num_scenes=1, size=200, seed=0)
