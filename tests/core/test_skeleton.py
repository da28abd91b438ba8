import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from efficientpose.core.skeleton import (
    FLIP_INDICES,
    KEYPOINT_NAMES,
    LIMB_FLIP_INDICES,
    LIMBS,
    NUM_KEYPOINTS,
    NUM_LIMBS,
    mirror_name,
)

# The 14 part affinity fields of the released networks, proximal to distal.
RELEASED_LIMBS = {
    ("head_top", "upper_neck"),
    ("upper_neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("upper_neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("upper_neck", "thorax"),
    ("thorax", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("thorax", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
}


@pytest.fixture
def mpii():
    """MMPose's own description of MPII."""
    return parse_pose_metainfo({"from_file": "configs/_base_/datasets/mpii.py"})


@pytest.mark.filterwarnings("ignore:The metainfo config file")
def test_keypoints_are_in_mmpose_mpii_order(mpii):
    assert [mpii["keypoint_id2name"][index] for index in range(16)] == list(KEYPOINT_NAMES)
    assert NUM_KEYPOINTS == 16


@pytest.mark.filterwarnings("ignore:The metainfo config file")
def test_flip_indices_are_mmpose_and_mirror_twice_is_nothing(mpii):
    assert list(FLIP_INDICES) == mpii["flip_indices"]
    assert [FLIP_INDICES[index] for index in FLIP_INDICES] == list(range(16))


def test_flip_indices_by_hand():
    assert FLIP_INDICES == (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)


def test_limbs_are_the_released_ones():
    names = [(KEYPOINT_NAMES[limb.proximal], KEYPOINT_NAMES[limb.distal]) for limb in LIMBS]
    assert len(names) == NUM_LIMBS == 14
    assert set(names) == RELEASED_LIMBS


def test_each_limb_is_found_from_its_distal_joint_and_the_pelvis_has_none():
    distal = [limb.distal for limb in LIMBS]
    assert distal == sorted(set(distal))
    assert KEYPOINT_NAMES.index("pelvis") not in {joint for limb in LIMBS for joint in limb}


def test_limb_flip_indices_by_hand():
    # Right and left leg change places (0 to 5), neck and head stay (6, 7), right and left arm change places (8 to 13).
    assert LIMB_FLIP_INDICES == (5, 4, 3, 2, 1, 0, 6, 7, 13, 12, 11, 10, 9, 8)


def test_mirrored_limb_joins_the_mirrored_joints():
    for limb, mirrored in zip(LIMBS, LIMB_FLIP_INDICES, strict=True):
        assert LIMBS[mirrored] == (FLIP_INDICES[limb.proximal], FLIP_INDICES[limb.distal])


@pytest.mark.parametrize(
    ("name", "mirrored"),
    [("left_knee", "right_knee"), ("right_wrist", "left_wrist"), ("head_top", "head_top"), ("pelvis", "pelvis")],
)
def test_mirror_name(name, mirrored):
    assert mirror_name(name) == mirrored
