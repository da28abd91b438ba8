import numpy as np
import pytest

from synthetic_people.camera import Camera


def make_camera(**changes):
    settings = {
        "target": np.array([0.0, 0.0, 0.0]),
        "principal_point": np.array([50.0, 40.0]),
        "stature": 100.0,
        "distance": 4.0,
        "elevation": 0.0,
        "roll": 0.0,
    }
    return Camera(**(settings | changes))


def test_hand_computed_projection():
    # Focal length 400 px. The third point is one stature nearer: 400 / 3 px a stature.
    points = np.array([[0, 0, 0], [0.5, 0.25, 0], [0.3, 0, 1.0]])
    seen = make_camera().project(points)
    np.testing.assert_allclose(seen.points, [[50, 40], [100, 15], [90, 40]])
    np.testing.assert_allclose(seen.depths, [4, 4, 3])


def test_a_camera_above_sees_the_ground_in_front_of_the_feet_lower():
    seen = make_camera(elevation=30.0).project(np.array([[0, 0, 0.5], [0, 0, -0.5]]))
    assert seen.points[0, 1] > 40 > seen.points[1, 1]
    # 4 - 0.5 cos 30 and 4 + 0.5 cos 30.
    np.testing.assert_allclose(seen.depths, [4 - 0.4330127, 4 + 0.4330127])


def test_positive_roll_turns_the_picture_clockwise():
    seen = make_camera(roll=90.0).project(np.array([[0, 0.5, 0]]))
    np.testing.assert_allclose(seen.points, [[100, 40]], atol=1e-9)


def test_points_behind_the_camera_are_refused():
    with pytest.raises(ValueError, match=r"1\.00 statures behind the camera.*further than 4\.00"):
        make_camera().project(np.array([[0, 0, 5.0]]))
