"""Several people with MMPose: the same checkpoint, any size of scene, MMPose's contract and inference function."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import inference_bottomup, init_model

from efficientpose.core.flip_test import mirror_pafs
from efficientpose.core.scenes import PeopleDecoder
from efficientpose.core.shipped_files import config_path
from efficientpose.core.skeleton import FLIP_INDICES, LIMBS, NUM_KEYPOINTS
from efficientpose.models.build import build_network


@pytest.fixture(scope="module")
def config():
    return Config.fromfile(config_path("efficientpose_rt_bottomup.py"))


@pytest.fixture(scope="module")
def model(config, untrained_checkpoint):
    return init_model(config, str(untrained_checkpoint), device="cpu")


class FoundPeople(PeopleDecoder):
    """Finds the given people, in the input's frame."""

    def __init__(self, people):
        super().__init__()
        self.people = people

    def group(self, heatmaps, pafs):
        self.map_shapes = heatmaps.shape, pafs.shape
        return self.people


@pytest.fixture
def find(model, monkeypatch):
    def set_people(*people):
        decoder = FoundPeople(people)
        monkeypatch.setattr(model, "decoder", decoder)
        return decoder

    return set_people


def test_same_tensors_as_the_top_down_network(model):
    topdown = build_network("rt").state_dict()
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
        name: tensor.shape for name, tensor in topdown.items()
    }


def test_a_whole_scene_keeps_its_aspect(model, find):
    from efficientpose.core.grouping import GroupedPerson

    keypoints = np.full((16, 2), np.nan)
    keypoints[:2] = [(288.0, 144.0), (300.0, 150.0)]
    scores = np.array([0.9, 0.5] + [0.0] * 14)
    decoder = find(GroupedPerson(keypoints=keypoints, scores=scores, score=0.7))
    image = np.zeros((360, 720, 3), np.uint8)
    (sample,) = inference_bottomup(model, image)
    # The shorter side becomes 288: 0.8 of the picture, whose middle (360, 180) lies on the input's, (288, 144).
    assert decoder.map_shapes == ((16, 36, 72), (28, 36, 72))
    found = sample.pred_instances
    np.testing.assert_allclose(found.keypoints[0, :2], [(360, 180), (375, 187.5)], atol=1e-4)
    assert not found.keypoints[0, 2:].any()
    np.testing.assert_allclose(found.keypoint_scores[0], scores, atol=1e-6)
    assert found.bbox_scores[0] == pytest.approx(0.7)
    # Joints 15 by 7.5 pixels apart, and 0.15 of 15 around.
    np.testing.assert_allclose(found.bboxes[0], [357.75, 177.75, 377.25, 189.75], atol=1e-4)


def test_nobody(model, find):
    find()
    (sample,) = inference_bottomup(model, np.zeros((100, 100, 3), np.uint8))
    assert sample.pred_instances.keypoints.shape == (0, NUM_KEYPOINTS, 2)
    assert sample.pred_instances.bboxes.shape == (0, 4)


def test_any_size_that_is_a_multiple_of_8(model):
    for height, width in ((64, 64), (72, 200), (160, 96)):
        heatmaps, pafs = model.predict_maps(torch.zeros(1, 3, height, width))
        assert heatmaps.shape == (1, 16, height // 8, width // 8)
        assert pafs.shape == (1, 28, height // 8, width // 8)


def test_maps_are_the_top_down_network_s(model, untrained_checkpoint):
    topdown = build_network("rt").eval()
    topdown.load_state_dict(torch.load(untrained_checkpoint)["state_dict"])
    inputs = torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(0))
    heatmaps, pafs = model.predict_maps(inputs)
    with torch.no_grad():
        maps = topdown(inputs, None, mode="tensor")
    np.testing.assert_allclose(heatmaps, maps.heatmaps[-1], atol=1e-6)
    np.testing.assert_allclose(pafs, maps.pafs, atol=1e-6)


def test_flip_test_is_the_same_for_a_mirrored_scene(model, monkeypatch):
    monkeypatch.setitem(model.test_cfg, "flip_test", True)
    inputs = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    heatmaps, pafs = model.predict_maps(inputs)
    mirrored_heatmaps, mirrored_pafs = model.predict_maps(inputs.flip(-1))
    np.testing.assert_allclose(mirrored_heatmaps[:, list(FLIP_INDICES), :, ::-1], heatmaps, atol=1e-6)
    back = mirror_pafs(mirrored_pafs[0], limbs=LIMBS, flip_indices=FLIP_INDICES)
    np.testing.assert_allclose(back, pafs[0], atol=1e-6)


def test_mirrored_fields_by_hand():
    pafs = np.zeros((4, 1, 2))
    pafs[:, 0, 0] = [0.6, 0.8, 0.1, 0.2]
    # Limbs 0 → 1 and 2 → 1; 0 and 2 are the two sides of one joint.
    mirrored = mirror_pafs(pafs, limbs=((0, 1), (2, 1)), flip_indices=(2, 1, 0))
    assert mirrored[:, 0, 1].tolist() == [-0.1, 0.2, -0.6, 0.8]
    assert not mirrored[:, 0, 0].any()
    with pytest.raises(ValueError, match="not the same on both sides"):
        mirror_pafs(pafs, limbs=((0, 1), (2, 0)), flip_indices=(2, 1, 0))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"model.head.num_limbs": 0}, ValueError, "head must be an EfficientPoseHead with num_limbs"),
        ({"model.limb_rule": dict(num_sample=3)}, TypeError, "num_sample"),
        ({"model.grouping_rule": dict(min_joint=3)}, TypeError, "min_joint"),
        ({"model.min_peaks": 0.2}, TypeError, "min_peaks"),
        ({"model.min_peak": 0.0}, ValueError, "min_score positive"),
    ],
)
def test_unusable_settings(config, settings, error, message):
    changed = config.copy()
    changed.merge_from_dict(settings)
    with pytest.raises(error, match=message):
        init_model(changed, device="cpu")
