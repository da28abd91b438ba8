"""A camera: projection of the world, painting of figures, and the image quality of a real photo.

World: y up, statures. Image: 0-based pixel centres, x right and y down. Figures are painted on a canvas with
``SUPERSAMPLING`` times the image's resolution.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np

from synthetic_people.body import PosedBody, rotation_x, rotation_z
from synthetic_people.figure import Figure
from synthetic_people.meshes import face_normals

SUPERSAMPLING: Final = 2

RIM_BRIGHTNESS: Final = 0.5  # of a face seen edge on, against one seen straight on
MEAN_LEVELS: Final = (65.0, 190.0)  # smallest and largest mean grey level of an exposed image
_SHIFT: Final = 3


class Projection(NamedTuple):
    """Points in the image."""

    points: np.ndarray  # (N, 2), 0-based pixel centres
    depths: np.ndarray  # (N,), distance along the optical axis, statures


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera that looks at ``target`` from the side that the z axis points to."""

    target: np.ndarray  # (3,), the world point that falls on ``principal_point``
    principal_point: np.ndarray  # (2,), image coordinates
    stature: float  # size in pixels of one stature at the distance of the target
    distance: float  # from the camera to the target, statures
    elevation: float  # of the camera above the target, degrees
    roll: float  # of the image, degrees; positive turns its content clockwise

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3), from the world to the camera (x right, y down, z away from the viewer)."""
        flip = np.diag([1.0, -1.0, -1.0])
        return rotation_z(self.roll) @ flip @ rotation_x(self.elevation)

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Return world points (N, 3) in camera coordinates (N, 3), statures, with the camera at 0."""
        return (points - self.target) @ self.rotation.T + np.array([0.0, 0.0, self.distance])

    def project(self, points: np.ndarray) -> Projection:
        """Project world points (N, 3); a ValueError if a point lies behind the camera or in its plane."""
        in_camera = self.to_camera(points)
        depths = in_camera[:, 2]
        if depths.min() <= 0:
            raise ValueError(
                f"a point lies {-depths.min():.2f} statures behind the camera: move the camera further than "
                f"{self.distance:.2f} statures away"
            )
        focal_length = self.stature * self.distance
        return Projection(self.principal_point + focal_length * in_camera[:, :2] / depths[:, None], depths)


def sample_camera(
    rng: np.random.Generator, *, target: np.ndarray, principal_point: np.ndarray, stature: float
) -> Camera:
    """Sample a view of ``target``: near or far, mostly from eye level, seldom from far below or above."""
    return Camera(
        target=target,
        principal_point=principal_point,
        stature=stature,
        distance=math.exp(rng.uniform(math.log(2.2), math.log(9.0))),
        elevation=float(np.clip(rng.normal(9.0, 13.0), -20.0, 50.0)),
        roll=float(rng.normal(0.0, 6.0)),
    )


class Light(NamedTuple):
    """One lamp at infinity."""

    direction: np.ndarray  # (3,), unit vector towards the lamp, in camera coordinates
    ambient: float  # brightness of a face that looks away from it, in [0, 1]


def sample_light(rng: np.random.Generator) -> Light:
    """Sample a lamp above the scene, on the camera's side."""
    direction = np.array([rng.normal(0, 0.8), -abs(rng.normal(0.8, 0.5)), -abs(rng.normal(0.7, 0.5))])
    return Light(direction / np.linalg.norm(direction), rng.uniform(0.4, 0.72))


def to_canvas(points: np.ndarray) -> np.ndarray:
    """Return image coordinates on the canvas; the outer edge, at -0.5, stays there."""
    return (points + 0.5) * SUPERSAMPLING - 0.5


def paint_figure(canvas: np.ndarray, figure: Figure, body: PosedBody, *, camera: Camera, light: Light) -> None:
    """Paint a posed figure: shade faces by the light, sort them by depth, fill from far to near.

    The canvas (SUPERSAMPLING * height, SUPERSAMPLING * width, 3), uint8 BGR, is changed in place.
    """
    world = figure.place(body)
    in_camera = camera.to_camera(world)
    corners = in_camera[figure.quads]  # (F, 4, 3)
    centres = corners.mean(axis=1)
    normals = face_normals(corners)
    visible = np.flatnonzero(np.einsum("fi,fi->f", normals, centres) < 0)
    order = visible[np.argsort(figure.biases[visible] - centres[visible, 2])]
    normals = normals[order] / (np.linalg.norm(normals[order], axis=1, keepdims=True) + 1e-12)
    lit = light.ambient + (1.1 - light.ambient) * np.clip(normals @ light.direction, 0, None)
    # Faces that turn away from the viewer get less light from the room, which sets a limb off from what is behind it.
    towards_viewer = -np.einsum("fi,fi->f", normals, centres[order]) / np.linalg.norm(centres[order], axis=1)
    lit *= RIM_BRIGHTNESS + (1 - RIM_BRIGHTNESS) * np.minimum(1.4 * towards_viewer, 1)
    colours = np.clip(figure.colours[order] * lit[:, None], 0, 255).tolist()
    points = to_canvas(camera.project(world).points) * (1 << _SHIFT)
    polygons = np.round(np.clip(points, -2e6, 2e6)).astype(np.int32)[figure.quads[order]]
    for polygon, colour in zip(polygons, colours, strict=True):
        cv2.fillConvexPoly(canvas, polygon, colour, cv2.LINE_8, _SHIFT)


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chance = rng.random()
    if chance < 0.12:
        # A moving camera smears evenly over an odd number of pixels, so keypoints stay in the middle of the smear.
        angle, reach = rng.uniform(0, math.pi), rng.uniform(1.0, 2.5)
        kernel = np.zeros((7, 7), np.float32)
        offset = reach * np.array([math.cos(angle), math.sin(angle)])
        start, end = (np.round(16 * (3 + sign * offset)).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, start, end, [1.0], 1, cv2.LINE_8, 4)
        return cv2.filter2D(image, -1, kernel / kernel.sum())
    if chance < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    return image


def _expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change gamma, contrast and colour cast; then expose as cameras do: no image is mostly black or white."""
    gamma, contrast = math.exp(rng.normal(0, 0.22)), rng.uniform(0.6, 1.1)
    cast = 1 + rng.normal(0, 0.06, 3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** gamma * contrast * cast + (1 - contrast) * 90
    counts = np.bincount(image[::4, ::4].ravel(), minlength=256)
    mean = max(float(counts @ levels.mean(axis=1)) / counts.sum(), 1.0)
    target = np.clip(mean + rng.uniform(-25, 35), *MEAN_LEVELS)
    table = np.clip(levels * (target / mean), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(256, 1, 3))


def _add_noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strength = min(rng.exponential(5.0), 16.0)
    if strength < 1:
        return image
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= strength
    noise += image
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image (H, W, 3) uint8 with blur, exposure, colour cast and noise of a real camera; nothing moves."""
    degraded = _expose(_blur(image, rng), rng)
    if rng.random() < 0.05:
        degraded = cv2.cvtColor(cv2.cvtColor(degraded, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return _add_noise(degraded, rng)


def encode_jpeg(image: np.ndarray, *, quality: int) -> bytes:
    """Return an image (H, W, 3) uint8 BGR as JPEG."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
