"""Exchanged sides on synthetic people whose sides are known."""

import json

import numpy as np
import pytest

from dataset_checker.sides import exchange, find_exchanges, find_pairs, fit_pose_model, list_exchanges
from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES, LIMBS
from synthetic_people.generate import Plan, generate

PAIRS = find_pairs(KEYPOINT_NAMES)
KINDS = {
    name: [pair for pair in PAIRS if KEYPOINT_NAMES[pair[0]].removeprefix("left_") in joints]
    for name, joints in dict(legs=("hip", "knee", "ankle"), elbows=("elbow",), shoulders=("shoulder",)).items()
}


def figures(num, *, seed=0):
    """Upright figures (num, 16, 2) with swinging limbs, half of them with their back to the camera."""
    rng = np.random.default_rng(seed)
    lateral = dict(hip=0.12, knee=0.15, ankle=0.16, shoulder=0.22, elbow=0.3, wrist=0.32)
    heights = dict(hip=0, knee=0.45, ankle=0.9, shoulder=-0.5, elbow=-0.2, wrist=0.05)
    heights |= dict(pelvis=0, thorax=-0.5, upper_neck=-0.6, head_top=-0.85)
    points = np.zeros((num, 16, 2))
    for index, name in enumerate(KEYPOINT_NAMES):
        joint = name.removeprefix("left_").removeprefix("right_")
        side = 1 if name.startswith("left") else -1
        points[:, index] = (side * lateral.get(joint, 0), heights[joint])
    points += rng.normal(0, 0.04, points.shape)
    points[: num // 2, :, 0] *= -1
    angles = rng.normal(0, 0.3, num)
    turns = np.stack((np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)), axis=1).reshape(-1, 2, 2)
    return np.einsum("nij,nkj->nki", turns, points) * rng.uniform(50, 300, (num, 1, 1)) + 200


def test_what_is_tried():
    names = {
        frozenset(KEYPOINT_NAMES[left].removeprefix("left_") for left, _ in each)
        for each in list_exchanges(PAIRS, LIMBS)
    }
    joints = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    both = [("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")]
    assert names == {frozenset((joint,)) for joint in joints} | {frozenset(pair) for pair in both} | {
        frozenset(joints[:3]),
        frozenset(joints[3:]),
    }


def test_exchanging_is_by_pairs():
    points = np.arange(32.0).reshape(1, 16, 2)
    np.testing.assert_array_equal(exchange(points, PAIRS)[0], points[0, list(FLIP_INDICES)])


def test_distances_do_not_depend_on_place_size_turn_and_mirror():
    poses = figures(200)
    model = fit_pose_model(poses, PAIRS)
    distances = model.distances(poses)
    turned = poses @ np.array(((0.6, 0.8), (-0.8, 0.6))) * 3 + (50, -70)
    np.testing.assert_allclose(model.distances(turned), distances, rtol=1e-6)
    np.testing.assert_allclose(model.distances(poses * (-1, 1)), distances, rtol=1e-6)
    # A Gaussian's squared distances are as large as there are free coordinates: 32, less the 4 that alignment takes.
    assert 15 < np.median(distances) < 40


@pytest.mark.parametrize("kind", KINDS)
def test_exchanged_sides_are_found_and_named(kind):
    poses = figures(200)
    poses[::20] = exchange(poses[::20], KINDS[kind])
    found = find_exchanges(poses, KEYPOINT_NAMES, LIMBS)
    suspicious = [index for index, each in enumerate(found) if each.is_suspicious]
    assert suspicious == list(range(0, 200, 20))
    same_thing = [set(KINDS[kind]), set(PAIRS) - set(KINDS[kind])]
    assert all(set(found[index].pairs) in same_thing for index in suspicious)


def test_unlabelled_joints_are_left_out():
    poses = figures(200)
    poses[::3, [0, 9, 6]] = np.nan
    poses[7] = np.nan
    poses[40] = exchange(poses[40:41], KINDS["legs"])[0]
    poses[40, 0] = np.nan
    found = find_exchanges(poses, KEYPOINT_NAMES, LIMBS)
    assert found[7] is None
    assert [index for index, each in enumerate(found) if each is not None and each.is_suspicious] == [40]
    assert all(0 not in pair for pair in found[0].pairs)


def test_all_sides_exchanged_cannot_be_told():
    poses = figures(200)
    poses[10] = exchange(poses[10:11], PAIRS)[0]
    assert not find_exchanges(poses, KEYPOINT_NAMES, LIMBS)[10].is_suspicious


def test_few_people_or_pairs_say_nothing():
    assert find_exchanges(figures(20), KEYPOINT_NAMES, LIMBS) == [None] * 20
    assert find_exchanges(figures(60)[:, :3], ("nose", "left_eye", "right_eye"), ()) == [None] * 60


@pytest.mark.slow
def test_precision_and_recall_on_synthetic_people(tmp_path):
    generate(Plan(num_train=600, num_val=1), tmp_path / "people")
    people = json.loads((tmp_path / "people" / "annotations" / "mpii_train.json").read_text())
    poses = np.array([person["joints"] for person in people])
    poses[np.array([person["joints_vis"] for person in people]) == 0] = np.nan
    poses[::10] = exchange(poses[::10], KINDS["legs"])
    suspicious = np.array([e is not None and e.is_suspicious for e in find_exchanges(poses, KEYPOINT_NAMES, LIMBS)])
    assert suspicious[::10].mean() > 0.7
    assert suspicious[::10].sum() / suspicious.sum() > 0.9
