"""Painting meshes: shade by the light, sort by depth, fill from far to near."""

from typing import NamedTuple

import cv2
import numpy as np

from synthetic_people.body import PosedBody
from synthetic_people.camera import Camera
from synthetic_people.figure import Figure
from synthetic_people.meshes import face_normals

SUPERSAMPLING = 2
RIM_BRIGHTNESS = 0.5
"""Of a face seen edge on, against one seen straight on."""
_SHIFT = 3


class Light(NamedTuple):
    """One lamp at infinity.

    Attributes:
        direction: (3,), unit vector towards the lamp, in camera coordinates.
        ambient: Brightness of a face that looks away from it, in [0, 1].
    """

    direction: np.ndarray
    ambient: float


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a lamp above and not far behind the camera's side of the scene."""
    direction = np.array([rng.normal(0, 0.8), -abs(rng.normal(0.8, 0.5)), -abs(rng.normal(0.7, 0.5))])
    return Light(direction / np.linalg.norm(direction), rng.uniform(0.4, 0.72))


def to_canvas(points: np.ndarray) -> np.ndarray:
    """Return picture coordinates on the canvas, whose pixels are ``SUPERSAMPLING`` times smaller.

    Both count 0-based pixel centres: the outer edge, at -0.5, stays at -0.5.
    """
    return (points + 0.5) * SUPERSAMPLING - 0.5


def paint_figure(canvas: np.ndarray, figure: Figure, body: PosedBody, *, camera: Camera, light: Light) -> None:
    """Paint a posed figure into the canvas.

    Args:
        canvas: (SUPERSAMPLING * height, SUPERSAMPLING * width, 3) uint8, BGR; changed in place.
        figure: The person's mesh.
        body: The pose, in world coordinates.
        camera: Gives picture coordinates (those of the small picture).
        light: Lamp in camera coordinates.
    """
    world = figure.place(body)
    in_camera = camera.to_camera(world)
    corners = in_camera[figure.quads]
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
