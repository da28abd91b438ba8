"""Weights carried from one skeleton to another."""

import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from efficientpose.core.shipped_files import mpii_config_path, starter_checkpoint
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS, NUM_KEYPOINTS, NUM_LIMBS
from efficientpose.custom_skeletons.description import SkeletonError
from efficientpose.custom_skeletons.pretrained import (
    PretrainedKeypoints,
    match_keypoints,
    match_limbs,
    recorded_keypoints,
    recorded_limbs,
)
from efficientpose.models.build import build_network
from efficientpose.models.state_dicts import StateDictError

NAMES = ["neck", "left_knee", "tail", "right_knee", "left_ankle", "right_ankle", "head"]
LIMB_NAMES = [
    ("left_knee", "left_ankle"),
    ("right_ankle", "right_knee"),  # the other way round than MPII's
    ("neck", "tail"),
    ("neck", "head"),  # MPII's head_top -> upper_neck, the other way round
]


def build(names=NAMES, limbs=LIMB_NAMES, *, variant="rt", init_cfg=None, **head):
    config = Config.fromfile(mpii_config_path(variant))
    config.model.head.num_keypoints = len(names)
    config.model.head.num_limbs = len(limbs)
    config.model.head.decoder.limbs = [(names.index(a), names.index(b)) for a, b in limbs]
    config.model.head.update(head)
    config.model.init_cfg = init_cfg
    config.model.backbone.update(high_pretrained=None, low_pretrained=None)  # they would be fetched
    init_default_scope("mmpose")
    return MODELS.build(config.model)


@pytest.fixture(scope="module")
def source():
    """An MPII network, every tensor of it random."""
    torch.manual_seed(0)
    state = build_network("rt").state_dict()
    return {key: torch.randn_like(value) if value.is_floating_point() else value for key, value in state.items()}


@pytest.fixture
def checkpoint(source, tmp_path):
    path = tmp_path / "mpii.pth"
    torch.save(dict(meta=dict(keypoint_names=list(KEYPOINT_NAMES)), state_dict=source), path)
    return path


def settings(checkpoint, **more):
    return dict(type="PretrainedKeypoints", checkpoint=str(checkpoint), keypoint_names=NAMES, **more)


def mpii(name):
    return KEYPOINT_NAMES.index(name)


def mpii_limb(distal):
    return next(number for number, limb in enumerate(LIMBS) if KEYPOINT_NAMES[limb.distal] == distal)


def test_keypoints_and_limbs_of_both_are_kept_and_all_else_alike(checkpoint, source):
    torch.manual_seed(1)
    network = build(init_cfg=settings(checkpoint))
    network.init_weights()
    state = network.state_dict()
    assert state.keys() == source.keys()
    for key, tensor in state.items():
        if ".predict." not in key:
            assert tensor.equal(source[key]), key
    for number in (0, 1):
        for kind in ("weight", "bias"):
            own = state[f"head.heatmap_passes.{number}.predict.{kind}"]
            other = source[f"head.heatmap_passes.{number}.predict.{kind}"]
            assert own[0].equal(other[mpii("upper_neck")])
            assert own[1].equal(other[mpii("left_knee")])
            assert own[5].equal(other[mpii("right_ankle")])
            assert own[6].equal(other[mpii("head_top")])
            # the tail is MMPose's usual start, of weights around 0.001 and no bias
            assert own[2].abs().max() < 0.01
    for kind in ("weight", "bias"):
        own, other = (each[f"head.paf_pass.predict.{kind}"] for each in (state, source))
        left, right, neck = (2 * mpii_limb(name) for name in ("left_ankle", "right_ankle", "upper_neck"))
        assert own[0:2].equal(other[left : left + 2])
        assert own[2:4].equal(-other[right : right + 2])
        assert own[4:6].abs().max() < 0.01
        assert own[6:8].equal(-other[neck : neck + 2])


def test_predicted_maps_of_kept_joints_are_the_source_s(checkpoint, source):
    network = build(init_cfg=settings(checkpoint)).eval()
    network.init_weights()
    original = build_network("rt").eval()
    # weights of a common size, so that numbers stay finite
    tame = {key: value.abs() * 0.01 if "running" in key else value * 0.01 for key, value in source.items()}
    original.load_state_dict({key: tame[key].to(source[key].dtype) for key in source})
    torch.save(dict(state_dict=original.state_dict()), checkpoint)
    PretrainedKeypoints(checkpoint=str(checkpoint), keypoint_names=NAMES)(network)
    with torch.no_grad():
        images = torch.randn(1, 3, 64, 64)
        maps, expected = network(images, None, mode="tensor"), original(images, None, mode="tensor")
    torch.testing.assert_close(maps.final[0, 1], expected.final[0, mpii("left_knee")])
    right = 2 * mpii_limb("right_ankle")
    torch.testing.assert_close(maps.pafs[0, 2:4], -expected.pafs[0, right : right + 2])
    assert expected.pafs[0, right].abs().max() > 0


def test_it_says_what_is_kept(checkpoint, caplog, monkeypatch):
    messages = []
    monkeypatch.setattr(
        "efficientpose.custom_skeletons.pretrained.print_log", lambda text, logger: messages.append((text, logger))
    )
    build(init_cfg=settings(checkpoint)).init_weights()
    ((text, logger),) = messages
    assert logger == "current"
    assert "6 of 7 keypoints: neck (from upper_neck), left_knee, right_knee," in text
    assert "3 of 4 limbs: left_knee-left_ankle, right_ankle-right_knee (reversed), neck-head (reversed)" in text
    assert "random start: keypoints tail; limbs neck-tail" in text


def test_weights_are_initialised_once(checkpoint, caplog):
    network = build(init_cfg=settings(checkpoint))
    with caplog.at_level(logging.WARNING):
        network.init_weights()
    assert not [record for record in caplog.records if "more than once" in record.message]
    kept = network.head.passes[-1].predict.weight[1].clone()
    network.init_weights()  # MMEngine's second call changes nothing
    assert network.head.passes[-1].predict.weight[1].equal(kept)


def test_aliases_and_source_names_are_taken_from_the_config(checkpoint, source):
    torch.save(source, checkpoint)  # tensors alone
    names = [f"k{number}" for number in range(NUM_KEYPOINTS)]
    limbs = [(names[limb.proximal], names[limb.distal]) for limb in LIMBS]
    network = build(
        init_cfg=settings(checkpoint, source_keypoint_names=names, source_limbs=limbs, aliases={"tail": "k3"})
    )
    network.init_weights()
    own = network.head.passes[-1].predict.weight
    assert own[2].equal(source["head.heatmap_passes.1.predict.weight"][3])
    assert own[1].abs().max() < 0.01


def test_learnt_upsampling_keeps_what_joints_of_both_exchange(tmp_path):
    torch.manual_seed(0)
    names = list(KEYPOINT_NAMES)
    original = build(names, [(names[a], names[b]) for a, b in LIMBS], upsampling="transposed_conv")
    torch.nn.init.normal_(original.head.upsampler.stages[0].weight)
    torch.nn.init.normal_(original.head.upsampler.stages[0].bias)
    path = tmp_path / "learnt.pth"
    torch.save(dict(state_dict=original.state_dict()), path)
    network = build(init_cfg=settings(path), upsampling="transposed_conv")
    network.init_weights()
    own, other = (each.head.upsampler.stages[0] for each in (network, original))
    assert own.weight[1, 5].equal(other.weight[mpii("left_knee"), mpii("right_ankle")])
    assert own.bias[0] == other.bias[mpii("upper_neck")]
    torch.testing.assert_close(own.weight[2, 2, 0], torch.tensor([1, 3, 3, 1]) / 16)  # bilinear
    assert not own.weight[2, 1].any()
    with pytest.raises(StateDictError, match=r'set model\.head\.upsampling to "transposed_conv"'):
        build(init_cfg=settings(path)).init_weights()


def test_released_upsampling_leaves_learnable_upsampling_bilinear(checkpoint):
    network = build(init_cfg=settings(checkpoint), upsampling="transposed_conv")
    network.init_weights()
    torch.testing.assert_close(network.head.upsampler.stages[2].weight[3, 3, 0], torch.tensor([1, 3, 3, 1]) / 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(variant="i"), "does not fit this network, apart from its keypoints: .*Is it of another variant"),
        (dict(limbs=[]), "does not fit this network"),
        (dict(num_heatmap_passes=3), "does not fit this network.*missing: head.heatmap_passes.2"),
    ],
)
def test_another_network_is_refused(changes, message, checkpoint):
    network = build(init_cfg=settings(checkpoint), **changes)
    with pytest.raises(StateDictError, match=f"(?s){message}"):
        network.init_weights()


def test_unknown_or_miscounted_keypoints_are_refused(checkpoint, source, tmp_path):
    with pytest.raises(SkeletonError, match=r"network .* has 7 keypoints, but 6 are named: neck"):
        build(init_cfg=settings(checkpoint) | dict(keypoint_names=NAMES[:-1])).init_weights()
    with pytest.raises(SkeletonError, match="there is no keypoint 'nose'"):
        build(init_cfg=settings(checkpoint, aliases={"tail": "nose"})).init_weights()
    other = build()
    torch.save(dict(state_dict=other.state_dict()), checkpoint)
    with pytest.raises(SkeletonError, match="does not say which its 7 keypoints are: give source_keypoint_names"):
        build(init_cfg=settings(checkpoint)).init_weights()
    with pytest.raises(SkeletonError, match="does not say which its 4 limbs are"):
        build(init_cfg=settings(checkpoint, source_keypoint_names=NAMES)).init_weights()
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), checkpoint)
    with pytest.raises(StateDictError, match="is not of an EfficientPose"):
        build(init_cfg=settings(checkpoint)).init_weights()
    with pytest.raises(SkeletonError, match=r"model\.init_cfg of an estimator"):
        PretrainedKeypoints(checkpoint="", keypoint_names=NAMES)(torch.nn.Linear(1, 1))


def test_a_training_s_checkpoint_says_its_keypoints_and_limbs():
    names = {1: "b", 0: "a", 2: "c"}  # as a reloaded config may order them
    text = "custom = 1\nmodel = dict(\n    head=dict(decoder=dict(limbs=[(0, 1), (1, 2)], sigma=0.05), type='H'))\n"
    meta = dict(dataset_meta=dict(keypoint_id2name=names), cfg=text)
    assert recorded_keypoints(meta, num_keypoints=3) == ("a", "b", "c")
    assert recorded_limbs(meta, ("a", "b", "c"), num_limbs=2) == (("a", "b"), ("b", "c"))
    assert recorded_limbs(dict(cfg="model = dict(head=dict())"), ("a",), num_limbs=2) is None
    assert recorded_limbs(dict(cfg="model = ("), ("a",), num_limbs=2) is None
    assert recorded_keypoints({}, num_keypoints=NUM_KEYPOINTS) == KEYPOINT_NAMES
    assert recorded_limbs({}, KEYPOINT_NAMES, num_limbs=NUM_LIMBS)[0] == ("right_knee", "right_ankle")
    assert recorded_limbs(dict(limbs=[[1, 0]]), ("a", "b"), num_limbs=1) == (("b", "a"),)


def test_names_match_by_place_and_limbs_in_both_directions():
    found = match_keypoints(["Left Knee", "head", "hip", "toe"], ["left_knee", "head_top", "pelvis", "thorax"])
    assert found == {"Left Knee": "left_knee", "head": "head_top", "hip": "pelvis"}
    assert match_keypoints(["neck"], ["upper_neck", "neck"]) == {"neck": "neck"}
    matches = match_limbs([("a", "b"), ("b", "c")], [("y", "z"), ("y", "x")], {"a": "x", "b": "y", "c": "z"})
    assert matches == {0: (1, True), 1: (0, False)}


def test_the_starter_checkpoint_serves_another_skeleton():
    network = build(init_cfg=settings(starter_checkpoint()))
    network.init_weights()
    stored = torch.load(starter_checkpoint(), weights_only=True)["state_dict"]
    own = network.head.passes[-1].predict.weight
    assert own[0].equal(stored["head.heatmap_passes.1.predict.weight"][mpii("upper_neck")])


def test_released_weights_serve_another_skeleton(shared, monkeypatch, tmp_path):
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(shared / "official"))
    network = build(init_cfg=settings("efficientpose://rt"))
    network.init_weights()
    assert network.head.passes[-1].predict.weight[1].abs().max() > 0.05
