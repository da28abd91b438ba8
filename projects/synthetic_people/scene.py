"""One synthetic image: a person to be annotated, among clutter, bystanders and things in front."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import cv2
import numpy as np

from efficientpose.core.skeleton import KEYPOINT_NAMES
from synthetic_people.background import draw_blob, draw_box, draw_leaves, draw_limb_like, draw_pole, sample_background
from synthetic_people.body import Bone, PosedBody, pose_body
from synthetic_people.camera import (
    SUPERSAMPLING,
    Camera,
    Light,
    degrade,
    paint_figure,
    sample_camera,
    sample_light,
    to_canvas,
)
from synthetic_people.figure import Figure, build_figure, skull
from synthetic_people.meshes import ellipsoid
from synthetic_people.postures import sample_pose, sample_proportions
from synthetic_people.wardrobe import sample_appearance

THINGS_IN_FRONT: Final = (draw_box, draw_blob, draw_pole, draw_leaves, draw_limb_like)
PELVIS: Final = KEYPOINT_NAMES.index("pelvis")
THORAX: Final = KEYPOINT_NAMES.index("thorax")


class Person(NamedTuple):
    """A figure, its pose in the world, and the surface of its skull in the head's frame (V, 3)."""

    figure: Figure
    body: PosedBody
    skull: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """(3,), middle of the box around the keypoints, world coordinates."""
        return (self.body.joints.min(axis=0) + self.body.joints.max(axis=0)) / 2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An image with the ground truth of its main person; coordinates are 0-based pixel centres."""

    image: np.ndarray  # (height, width, 3) uint8, BGR
    keypoints: np.ndarray  # (16, 2), also those outside the image
    labelled: np.ndarray  # (16,) bool: inside the image, hidden or not
    head_box: np.ndarray  # (2, 2), left top and right bottom of the skull, chin to crown
    centre: np.ndarray  # (2,), rough middle of the person as an annotator would click it
    stature: float  # standing height in pixels as an annotator would guess it


def sample_person(rng: np.random.Generator) -> Person:
    """Sample a person: physique, clothes and pose."""
    proportions, pose, looks = sample_proportions(rng), sample_pose(rng), sample_appearance(rng)
    size = skull(proportions.head)
    surface = ellipsoid(size.centre, size.half_axes, colours=np.zeros(3), num_sides=12, num_bands=8).vertices
    body = pose_body(pose.angles, proportions=proportions, root=pose.root)
    return Person(build_figure(looks, proportions), body, surface)


def inside(points: np.ndarray, *, image_shape: tuple[int, int]) -> np.ndarray:
    """Return which points (N, 2) lie on the image (N,), its left and top edges included."""
    height, width = image_shape
    return np.all((points >= -0.5) & (points < np.array([width, height]) - 0.5), axis=1)


def _place(rng: np.random.Generator, box: np.ndarray, image_shape: tuple[int, int]) -> np.ndarray:
    """Sample the shift (2,) of a person with keypoints in ``box`` (2, 2); most stay inside the image."""
    size = np.array(image_shape[::-1], dtype=float)
    extent = box[1] - box[0]
    margin = np.minimum(0.1 * extent + 6, np.maximum(size - extent, 0) / 2)
    slack = np.maximum(size - extent - 2 * margin, 0)
    left_top = (size - extent - slack) / 2 + rng.random(2) * slack
    if rng.random() < 0.18:
        edge = int(rng.choice(4, p=[0.15, 0.15, 0.15, 0.55]))
        axis, leaves_far_side = edge % 2, edge >= 2
        lost = rng.uniform(0.08, 0.35) * extent[axis]
        left_top[axis] = size[axis] - extent[axis] + lost if leaves_far_side else -lost
    return left_top - box[0]


def _frame_subject(rng: np.random.Generator, person: Person, image_shape: tuple[int, int]) -> Camera:
    # People of all sizes, as equally many between 100 and 150 pixels as between 150 and 225.
    stature = float(np.exp(rng.uniform(np.log(100), np.log(225))))
    camera = sample_camera(rng, target=person.middle, principal_point=np.zeros(2), stature=stature)
    points = camera.project(person.body.joints).points
    shift = _place(rng, np.stack([points.min(axis=0), points.max(axis=0)]), image_shape)
    return replace(camera, principal_point=shift)


def _frame_bystander(
    rng: np.random.Generator, person: Person, subject: Camera, *, image_shape: tuple[int, int], in_front: bool
) -> Camera:
    """Sample a view of another person, beside the subject rather than on top of it."""
    height, width = image_shape
    stature = subject.stature * (rng.uniform(0.85, 1.15) if in_front else rng.uniform(0.35, 1.0))
    clearance = (0.6 if in_front else 0.5) * subject.stature
    side = 1 if rng.random() < 0.5 else -1
    x = subject.principal_point[0] + side * (clearance + rng.exponential(0.4 * width))
    y = subject.principal_point[1] + rng.normal(0, 0.12 * height)
    return Camera(
        target=person.middle,
        principal_point=np.array([x, y]),
        stature=stature,
        distance=subject.distance + 0.5,
        elevation=subject.elevation,
        roll=subject.roll,
    )


def _drop_shadow(canvas: np.ndarray, rng: np.random.Generator, person: Person, camera: Camera) -> None:
    """Darken the ground under the lowest keypoint."""
    points = to_canvas(camera.project(person.body.joints).points)
    spot = points[np.argmax(points[:, 1])] + rng.normal(0, 4, 2)
    axes = np.maximum(camera.stature * SUPERSAMPLING * np.array([rng.uniform(0.12, 0.3), rng.uniform(0.02, 0.07)]), 2)
    limits = np.array(canvas.shape[1::-1])
    low = np.clip(spot - axes - 3, 0, limits).astype(int)
    high = np.clip(spot + axes + 3, 0, limits).astype(int)
    region = canvas[low[1] : high[1], low[0] : high[0]]
    if region.size:
        dark = region.copy()
        cv2.ellipse(dark, (spot - low).astype(int).tolist(), axes.astype(int).tolist(), 0, 0, 360, (12, 12, 12), -1)
        cv2.addWeighted(dark, 0.45, region, 0.55, 0, dst=region)


def _put_things_in_front(canvas: np.ndarray, rng: np.random.Generator, camera: Camera) -> None:
    """Hide small parts of the subject behind up to two things."""
    stature = camera.stature * SUPERSAMPLING
    middle = to_canvas(camera.principal_point)
    for _ in range(int(rng.choice(3, p=[0.66, 0.24, 0.1]))):
        painter = THINGS_IN_FRONT[int(rng.integers(len(THINGS_IN_FRONT)))]
        painter(canvas, rng, middle + rng.normal(0, 0.33, 2) * stature, size=rng.uniform(0.1, 0.3) * stature)


def _head_box(person: Person, camera: Camera) -> np.ndarray:
    surface = person.skull @ person.body.rotations[Bone.HEAD].T + person.body.origins[Bone.HEAD]
    points = camera.project(surface).points
    return np.stack([points.min(axis=0), points.max(axis=0)])


def _click_centre(rng: np.random.Generator, keypoints: np.ndarray, labelled: np.ndarray, stature: float) -> np.ndarray:
    """Return where an annotator would mark the person (2,).

    MPII's lie near the middle of the trunk, a little above the middle of the labelled keypoints; MMPose lowers them by
    7.5% of the stature.
    """
    seen = keypoints[labelled]
    trunk = (keypoints[PELVIS] + keypoints[THORAX]) / 2
    box_middle = (seen.min(axis=0) + seen.max(axis=0)) / 2 - np.array([0.0, 0.075 * stature])
    return 0.4 * trunk + 0.6 * box_middle + rng.normal(0, 0.02 * stature, 2)


def _paint_bystanders(
    canvas: np.ndarray, rng: np.random.Generator, subject: Camera, *, light: Light, in_front: bool
) -> None:
    shares = [0.88, 0.12] if in_front else [0.5, 0.28, 0.14, 0.08]
    height, width = (side // SUPERSAMPLING for side in canvas.shape[:2])
    for _ in range(int(rng.choice(len(shares), p=shares))):
        person = sample_person(rng)
        camera = _frame_bystander(rng, person, subject, image_shape=(height, width), in_front=in_front)
        paint_figure(canvas, person.figure, person.body, camera=camera, light=light)


def sample_scene(rng: np.random.Generator) -> Scene:
    """Sample one image and its annotation."""
    image_shape = (int(rng.integers(224, 289)), int(rng.integers(272, 369)))
    person, light = sample_person(rng), sample_light(rng)
    camera = _frame_subject(rng, person, image_shape)
    background = sample_background(rng, image_shape=image_shape)
    canvas = cv2.resize(background, None, fx=SUPERSAMPLING, fy=SUPERSAMPLING, interpolation=cv2.INTER_LINEAR)
    _paint_bystanders(canvas, rng, camera, light=light, in_front=False)
    if rng.random() < 0.6:
        _drop_shadow(canvas, rng, person, camera)
    paint_figure(canvas, person.figure, person.body, camera=camera, light=light)
    _paint_bystanders(canvas, rng, camera, light=light, in_front=True)
    _put_things_in_front(canvas, rng, camera)
    image = cv2.resize(canvas, image_shape[::-1], interpolation=cv2.INTER_AREA)
    keypoints = camera.project(person.body.joints).points
    labelled = inside(keypoints, image_shape=image_shape)
    return Scene(
        image=degrade(image, rng),
        keypoints=keypoints,
        labelled=labelled,
        head_box=_head_box(person, camera),
        centre=_click_centre(rng, keypoints, labelled, camera.stature),
        stature=camera.stature * float(np.exp(rng.normal(0, 0.04))),
    )
