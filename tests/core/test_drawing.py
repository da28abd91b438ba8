"""Pictures of poses and maps show what they should, where they should."""

import numpy as np

from efficientpose.core.drawing import (
    LEFT_COLOUR,
    RIGHT_COLOUR,
    draw_heatmaps,
    draw_pafs,
    draw_poses,
)
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS, Limb, Skeleton


def a_pose(scores: float = 1.0) -> Pose:
    """Right arm along y = 20, left arm along y = 80, everything else at (150, 50)."""
    keypoints = np.full((16, 3), (150.0, 50.0, scores))
    for x, joint in ((20, "wrist"), (50, "elbow"), (80, "shoulder")):
        keypoints[KEYPOINT_NAMES.index(f"right_{joint}"), :2] = (x, 20)
        keypoints[KEYPOINT_NAMES.index(f"left_{joint}"), :2] = (x, 80)
    return Pose(np.array([0, 0, 200, 100]), keypoints)


def test_sides_have_their_colours_on_black_and_on_white() -> None:
    for background in (0, 255):
        image = np.full((100, 200, 3), background, np.uint8)
        drawn = draw_poses(image, (a_pose(),))
        assert tuple(drawn[20, 35]) == RIGHT_COLOUR
        assert tuple(drawn[80, 35]) == LEFT_COLOUR
        assert (image == background).all()


def test_joints_below_the_score_are_left_out() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    assert not draw_poses(image, (a_pose(scores=0.05),)).any()
    assert draw_poses(image, (a_pose(scores=0.05),), min_score=0.0).any()


def test_joints_outside_the_picture_do_not_break_it() -> None:
    pose = a_pose()
    pose.keypoints[:, :2] -= 1000
    assert not draw_poses(np.zeros((100, 200, 3), np.uint8), (pose,)).any()


def test_a_heatmap_is_bright_in_its_own_tile_at_its_peak() -> None:
    heatmaps = np.zeros((16, 32, 32), np.float32)
    heatmaps[5, 8:12, 20:24] = 1
    tiles = draw_heatmaps(np.zeros((64, 64, 3), np.uint8), heatmaps)
    assert tiles.shape == (4 * (64 + 18), 4 * 64, 3)
    top, left = 1 * (64 + 18) + 18, 1 * 64  # keypoint 5 is the second tile of the second row
    assert tiles[top + 20, left + 44].sum() > 300
    assert tiles[top + 50, left + 10].sum() < 60


def test_another_skeleton_is_drawn_as_it_says() -> None:
    skeleton = Skeleton(("left_a", "right_b", "c"), (Limb(2, 0),), (1, 0, 2))
    pose = Pose(np.array([0, 0, 200, 100]), np.array([[20.0, 20, 1], [50, 50, 1], [120, 20, 1]]))
    drawn = draw_poses(np.zeros((100, 200, 3), np.uint8), (pose,), skeleton=skeleton)
    assert tuple(drawn[20, 70]) == LEFT_COLOUR  # the limb, by the keypoint it leads to
    assert tuple(drawn[50, 50]) == RIGHT_COLOUR
    assert not drawn[35, 35].any()
    tiles = draw_heatmaps(np.zeros((64, 64, 3), np.uint8), np.zeros((3, 8, 8), np.float32), skeleton=skeleton)
    assert tiles.shape == (64 + 18, 4 * 64, 3)


def test_opposite_fields_have_opposite_hues_and_nothing_is_black() -> None:
    pafs = np.zeros((2 * len(LIMBS), 8, 8), np.float32)
    pafs[0, :, :3] = 1
    pafs[0, :, 5:] = -1
    drawn = draw_pafs(np.zeros((80, 80, 3), np.uint8), pafs)
    assert drawn.shape == (80, 80, 3)
    assert tuple(drawn[40, 5] > 100) == (False, False, True)  # red points right
    assert tuple(drawn[40, 75] > 100) == (True, True, False)  # cyan points left
    assert drawn[40, 40].max() == 0
