from dataclasses import replace

import numpy as np
import pytest

from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES
from synthetic_people.body import (
    AxialAngles,
    JointAngles,
    Proportions,
    SideAngles,
    check_limits,
    pose_body,
    rotation_x,
    rotation_y,
    rotation_z,
)
from synthetic_people.postures import POSTURES, sample_pose, sample_proportions

STANDING = JointAngles(axial=AxialAngles(), left=SideAngles(), right=SideAngles())
RIGID_PAIRS = [
    ("pelvis", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("left_hip", "right_hip"),
    ("thorax", "upper_neck"),
    ("upper_neck", "head_top"),
    ("thorax", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("thorax", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
]


def mirror(angles):
    """The angles of the same pose seen in a mirror."""
    signs = {name: -getattr(angles.axial, name) for name in ("spine_bend", "spine_twist", "neck_bend", "neck_twist")}
    return JointAngles(axial=replace(angles.axial, **signs), left=angles.right, right=angles.left)


def pose(angles=STANDING, proportions=None, root=None):
    return pose_body(angles, proportions=proportions or Proportions(), root=np.eye(3) if root is None else root)


def joint(body, name):
    return body.joints[KEYPOINT_NAMES.index(name)]


def lengths(body):
    return np.array([np.linalg.norm(joint(body, first) - joint(body, second)) for first, second in RIGID_PAIRS])


def test_standing_person_has_the_left_side_at_positive_x_and_stature_one():
    body = pose()
    np.testing.assert_allclose(joint(body, "left_ankle"), [0.056, -0.49, 0])
    np.testing.assert_allclose(joint(body, "right_wrist"), [-0.1, 0.275 - 0.316, 0], atol=1e-12)
    # Head top 0.47 above the hips, ankles 0.49 below, and 0.04 of foot.
    assert joint(body, "head_top")[1] - joint(body, "left_ankle")[1] + 0.04 == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("side_angles", "name", "expected"),
    [
        # Arm straight out to the left (shoulder at 0.1, 0.275), forearm bent forward.
        ({"shoulder_elevation": 90, "elbow_flexion": 90}, "left_elbow", [0.27, 0.275, 0]),
        ({"shoulder_elevation": 90, "elbow_flexion": 90}, "left_wrist", [0.27, 0.275, 0.146]),
        ({"shoulder_elevation": 90, "elbow_flexion": 90, "shoulder_rotation": 60}, "left_elbow", [0.27, 0.275, 0]),
        # Arm straight ahead, forearm bent up.
        ({"shoulder_elevation": 90, "shoulder_azimuth": 90, "elbow_flexion": 90}, "left_elbow", [0.1, 0.275, 0.17]),
        ({"shoulder_elevation": 90, "shoulder_azimuth": 90, "elbow_flexion": 90}, "left_wrist", [0.1, 0.421, 0.17]),
        # Turning the hanging arm outwards carries the bent forearm to the left.
        ({"shoulder_rotation": 30, "elbow_flexion": 90}, "left_wrist", [0.173, 0.105, 0.146 * np.sqrt(0.75)]),
        # Sitting: thigh ahead, shank down.
        ({"hip_flexion": 90, "knee_flexion": 90}, "left_knee", [0.056, 0, 0.245]),
        ({"hip_flexion": 90, "knee_flexion": 90}, "left_ankle", [0.056, -0.245, 0.245]),
        ({"hip_abduction": 30}, "left_knee", [0.056 + 0.1225, -0.245 * np.sqrt(0.75), 0]),
        ({"knee_flexion": 90}, "left_ankle", [0.056, -0.245, -0.245]),
    ],
)
def test_hand_computed_positions(side_angles, name, expected):
    body = pose(replace(STANDING, left=SideAngles(**side_angles)))
    np.testing.assert_allclose(joint(body, name), expected, atol=1e-12)


def test_trunk_angles_have_the_signs_they_document():
    forward = joint(pose(replace(STANDING, axial=AxialAngles(spine_flexion=30))), "thorax")
    assert forward[2] > 0.05
    leftwards = joint(pose(replace(STANDING, axial=AxialAngles(spine_bend=30))), "thorax")
    assert leftwards[0] > 0.05
    turned_left = pose(replace(STANDING, axial=AxialAngles(spine_twist=30)))
    assert joint(turned_left, "right_shoulder")[2] > 0.04


def test_rotations_turn_the_way_they_say():
    x, y, z = np.eye(3)
    np.testing.assert_allclose(rotation_x(90) @ y, z, atol=1e-12)
    np.testing.assert_allclose(rotation_y(90) @ z, x, atol=1e-12)
    np.testing.assert_allclose(rotation_z(90) @ x, y, atol=1e-12)


def test_bones_keep_their_length_in_every_pose():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        proportions, drawn = sample_proportions(rng), sample_pose(rng)
        moved = pose(drawn.angles, proportions, drawn.root)
        np.testing.assert_allclose(lengths(moved), lengths(pose(proportions=proportions)), atol=1e-12)


def test_a_mirrored_pose_swaps_left_and_right():
    for seed in range(20):
        angles = sample_pose(np.random.default_rng(seed)).angles
        mirrored = pose(mirror(angles)).joints
        np.testing.assert_allclose(mirrored, pose(angles).joints[list(FLIP_INDICES)] * np.array([-1, 1, 1]), atol=1e-12)


def test_sampled_poses_respect_the_limits_and_cover_every_attitude():
    roots = []
    for seed in range(300):
        drawn = sample_pose(np.random.default_rng(seed))
        check_limits(drawn.angles)
        roots.append(drawn.root)
    up = np.stack(roots)[:, 1, 1]
    facing = np.stack(roots)[:, 2, 2]
    assert 0.005 < np.mean(up < -0.5) < 0.1  # upside down
    assert np.mean(up > 0.8) > 0.7  # upright
    assert abs(np.mean(facing > 0) - 0.5) < 0.1  # front and back views alike
    assert len(POSTURES) >= 15


def test_an_impossible_angle_is_refused():
    with pytest.raises(ValueError, match=r"knee_flexion is -20 degrees: it must be in \[0, 145\]"):
        pose(replace(STANDING, right=SideAngles(knee_flexion=-20)))
