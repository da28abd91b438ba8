from dataclasses import replace

import cv2
import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES
from synthetic_people.body import AxialAngles, Bone, JointAngles, Proportions, SideAngles, pose_body, rotation_y
from synthetic_people.camera import SUPERSAMPLING, Camera, Light, paint_figure
from synthetic_people.figure import Figure, build_figure
from synthetic_people.meshes import ellipsoid
from synthetic_people.wardrobe import HairStyle, Held, sample_appearance

STANDING = JointAngles(axial=AxialAngles(), left=SideAngles(), right=SideAngles())
LAMP = Light(np.array([0.0, 0.0, -1.0]), 1.0)


def make_camera(x, y):
    return Camera(
        target=np.zeros(3), principal_point=np.array([x, y]), stature=150.0, distance=5.0, elevation=0.0, roll=0.0
    )


def pose(yaw=0.0):
    return pose_body(STANDING, proportions=Proportions(), root=rotation_y(yaw))


def paint(figure, body, camera):
    canvas = np.zeros((SUPERSAMPLING * 200, SUPERSAMPLING * 160, 3), np.uint8)
    paint_figure(canvas, figure, body, camera=camera, light=LAMP)
    return cv2.resize(canvas, (160, 200), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(("x", "y"), [(80.0, 100.0), (79.5, 100.25), (63.3, 81.8)])
def test_what_is_painted_lies_where_the_keypoint_is(x, y):
    mesh = ellipsoid((0, 0, 0), (0.06, 0.06, 0.06), colours=np.full(3, 255.0), num_sides=24, num_bands=16)
    figure = Figure(
        mesh.vertices, np.zeros(len(mesh.vertices), int), mesh.quads, mesh.colours, np.zeros(len(mesh.quads))
    )
    camera = make_camera(x, y)
    weights = paint(figure, pose(), camera)[..., 0].astype(float)
    rows, columns = np.mgrid[:200, :160]
    centroid = [np.average(columns, weights=weights), np.average(rows, weights=weights)]
    keypoint = camera.project(pose().joints).points[KEYPOINT_NAMES.index("pelvis")]
    np.testing.assert_allclose(keypoint, [x, y])
    np.testing.assert_allclose(centroid, keypoint, atol=0.25)


def test_front_and_back_can_be_told_apart():
    """Red skin, green hair: the face is red seen from the front, and no red of it is seen from behind."""
    drawn = sample_appearance(np.random.default_rng(0))
    red, green = np.array([0.0, 0.0, 255.0]), np.array([0.0, 255.0, 0.0])
    looks = replace(
        drawn, skin=red, hair=green, hair_style=HairStyle.LONG, backpack=False, held=(Held.NOTHING, Held.NOTHING)
    )
    figure, camera = build_figure(looks, Proportions()), make_camera(80.0, 100.0)
    shares = {}
    for name, yaw in (("front", 0.0), ("back", 180.0)):
        body = pose(yaw)
        points = camera.project(body.joints).points
        x, y = points[KEYPOINT_NAMES.index("head_top")].astype(int)
        head = paint(figure, body, camera)[y : y + 22, x - 8 : x + 9].reshape(-1, 3).astype(int)
        shares[name] = np.mean(head[:, 2] > head[:, 1] + 60)
        left, right = (points[KEYPOINT_NAMES.index(f"{side}_shoulder"), 0] for side in ("left", "right"))
        # A person who faces the camera has the left shoulder on the picture's right.
        assert (left > right) == (name == "front")
    assert shares["front"] > 0.4
    assert shares["back"] < 0.1


def test_near_limbs_hide_far_ones():
    """In a side view of somebody who stands upright, the near thigh hides the far one."""
    figure = build_figure(sample_appearance(np.random.default_rng(1)), Proportions())
    of_face = figure.bones[figure.quads[:, 0]]
    colours = np.zeros_like(figure.colours)
    colours[of_face == Bone.LEFT_THIGH] = (255, 0, 0)
    colours[of_face == Bone.RIGHT_THIGH] = (0, 0, 255)
    figure = figure._replace(colours=colours)
    # Turned to the left by 90 degrees the person shows the right side.
    for yaw, near, far in ((90.0, 2, 0), (-90.0, 0, 2)):
        painted = paint(figure, pose(yaw), make_camera(80.0, 100.0))
        assert np.sum(painted[..., near] > 128) > 200
        assert np.sum(painted[..., far] > 128) < 20
