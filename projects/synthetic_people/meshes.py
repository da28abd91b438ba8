"""Surfaces of quads: tubes, ellipsoids, boxes and flat patches, in a bone's own frame (statures)."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from synthetic_people.body import Bone


class Mesh(NamedTuple):
    """A coloured surface."""

    vertices: np.ndarray  # (V, 3)
    quads: np.ndarray  # (F, 4) indices, ordered so that the normal of face_normals points outwards
    colours: np.ndarray  # (F, 3), BGR, 0 to 255


class Part(NamedTuple):
    """A mesh on a bone; ``bias`` (statures) brings it forward when faces are sorted by depth."""

    bone: Bone
    mesh: Mesh
    bias: float = 0.0


class Ring(NamedTuple):
    """An ellipse across a tube: its height, half axes to the side and to the front, and its shift to the front."""

    height: float
    half_width: float
    half_depth: float
    forward: float = 0.0


def face_normals(corners: np.ndarray) -> np.ndarray:
    """Return the outward normals (F, 3), of any length, of faces with corners (F, 4, 3)."""
    return np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])


@lru_cache(maxsize=32)
def _tube_quads(num_rings: int, num_sides: int) -> np.ndarray:
    ring, side = np.mgrid[: num_rings - 1, :num_sides]
    following = (side + 1) % num_sides
    corners = (
        ring * num_sides + side,
        ring * num_sides + following,
        (ring + 1) * num_sides + following,
        (ring + 1) * num_sides + side,
    )
    return np.stack(corners, axis=-1).reshape(-1, 4)


@lru_cache(maxsize=8)
def _circle(num_sides: int) -> np.ndarray:
    turn = 2 * np.pi * np.arange(num_sides) / num_sides
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def tube(rings: tuple[Ring, ...], *, colours: np.ndarray, num_sides: int) -> Mesh:
    """Join R elliptic rings, from the top downwards, to a tube; ``colours`` is (3,) or, one a band, (R - 1, 3).

    Faces are ordered by band, then side; side 0 starts at +x and turns to +z.
    """
    table = np.array(rings)  # (R, 4)
    circle = _circle(num_sides)
    vertices = np.empty((len(rings), num_sides, 3))
    vertices[:, :, 0] = table[:, 1, None] * circle[:, 0]
    vertices[:, :, 1] = table[:, 0, None]
    vertices[:, :, 2] = table[:, 2, None] * circle[:, 1] + table[:, 3, None]
    bands = np.broadcast_to(colours, (len(rings) - 1, 3))
    return Mesh(vertices.reshape(-1, 3), _tube_quads(len(rings), num_sides), np.repeat(bands, num_sides, axis=0))


@lru_cache(maxsize=8)
def _unit_sphere(num_bands: int) -> tuple[Ring, ...]:
    polar = np.pi * np.arange(num_bands + 1) / num_bands
    return tuple(Ring(float(np.cos(angle)), float(np.sin(angle)), float(np.sin(angle))) for angle in polar)


def ellipsoid(
    centre: tuple[float, float, float],
    half_axes: tuple[float, float, float],
    *,
    colours: np.ndarray,
    num_sides: int,
    num_bands: int,
) -> Mesh:
    """Return an ellipsoid with axes along the frame's; ``colours`` as for :func:`tube`."""
    sphere = tube(_unit_sphere(num_bands), colours=colours, num_sides=num_sides)
    return sphere._replace(vertices=sphere.vertices * np.array(half_axes) + np.array(centre))


def capsule(*, length: float, radii: tuple[float, float, float], colours: np.ndarray, num_sides: int) -> Mesh:
    """Return a limb from the origin to ``length`` below it, with round ends.

    ``radii`` are at the start, at a third and at the end; ``colours`` is (3,) or, one a band, (8, 3).
    """
    first, middle, last = radii
    profile = (
        (first, 0.0),
        (0.65 * first, 0.76 * first),
        (0.0, first),
        (-0.33 * length, middle),
        (-0.6 * length, 0.45 * middle + 0.55 * last),
        (-0.8 * length, 0.2 * middle + 0.8 * last),
        (-length, last),
        (-length - 0.65 * last, 0.76 * last),
        (-length - last, 0.0),
    )
    rings = tuple(Ring(height, radius, radius) for height, radius in profile)
    return tube(rings, colours=colours, num_sides=num_sides)


_BOX_CORNERS = np.array([[x, y, z] for y in (1, -1) for x, z in ((1, -1), (1, 1), (-1, 1), (-1, -1))], dtype=float)
_BOX_QUADS = np.array([[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [3, 2, 1, 0], [4, 5, 6, 7]])


def box(centre: tuple[float, float, float], half_axes: tuple[float, float, float], *, colour: np.ndarray) -> Mesh:
    """Return a box with sides along the frame's axes."""
    vertices = _BOX_CORNERS * np.array(half_axes) + np.array(centre)
    return Mesh(vertices, _BOX_QUADS, np.tile(colour, (6, 1)))


def patch(centre: tuple[float, float, float], half_size: tuple[float, float], *, colour: np.ndarray) -> Mesh:
    """Return one flat upright face that looks forward, of half width and half height ``half_size``."""
    across = np.array([1.0, -1.0, -1.0, 1.0]) * half_size[0]
    up = np.array([1.0, 1.0, -1.0, -1.0]) * half_size[1]
    corners = np.stack([across, up, np.zeros(4)], axis=1) + np.array(centre)
    return Mesh(corners, np.array([[0, 1, 2, 3]]), np.asarray(colour, dtype=float).reshape(1, 3))
