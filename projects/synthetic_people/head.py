"""The head: a skull whose faces are skin or hair by where they look, with a face in front."""

from typing import Final, NamedTuple

import numpy as np

from synthetic_people.body import Bone
from synthetic_people.meshes import Part, Ring, box, ellipsoid, patch, tube
from synthetic_people.wardrobe import Appearance, HairStyle

NUM_SIDES: Final = 16
NUM_BANDS: Final = 12


class Skull(NamedTuple):
    """Centre and half axes of the head's ellipsoid in the head's frame, statures."""

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]


def skull(head_length: float) -> Skull:
    """Return the ellipsoid from the chin to the top of the head; ``head_length`` is upper neck to head top."""
    half = 0.53 * head_length
    return Skull((0.0, head_length - half, 0.008), (0.72 * half, half, 0.86 * half))


def _is_hair(directions: np.ndarray, style: HairStyle) -> np.ndarray:
    """Return which directions (F, 3) from the skull's centre meet hair (F,)."""
    up, forward = directions[:, 1], directions[:, 2]
    if style is HairStyle.BALD:
        return (np.abs(up) < 0.3) & (forward < -0.1)
    if style is HairStyle.CAP:
        return up > 0.3
    nape = -0.9 if style is HairStyle.LONG else -0.45
    return ((forward < 0.1) & (up > nape)) | (up > 0.62 + 0.2 * forward)


def _features(looks: Appearance, size: Skull) -> list[Part]:
    half_width, half_height, half_depth = size.half_axes
    centre_height, front = size.centre[1], size.centre[2] + half_depth
    white, dark = np.array([225.0, 228, 230]), np.array([25.0, 25, 30])
    pieces = []
    for side in (-1, 1):
        x, y = side * 0.4 * half_width, centre_height + 0.12 * half_height
        eye = patch((x, y, 0.93 * front), (0.011, 0.0065), facing=1, colour=white)
        pupil = patch((x, y, 0.935 * front), (0.006, 0.0065), facing=1, colour=dark)
        brow = patch((x, y + 0.017, 0.92 * front), (0.014, 0.004), facing=1, colour=looks.hair * 0.8)
        ear = ellipsoid(
            (side * half_width, centre_height, size.centre[2] - 0.1 * half_depth),
            (0.007, 0.017, 0.011),
            colours=looks.skin * 0.9,
            num_sides=6,
            num_bands=4,
        )
        pieces += [
            Part(Bone.HEAD, eye, 0.012),
            Part(Bone.HEAD, pupil, 0.016),
            Part(Bone.HEAD, brow, 0.012),
            Part(Bone.HEAD, ear, 0.004),
        ]
    nose = ellipsoid(
        (0, centre_height - 0.1 * half_height, front),
        (0.009, 0.017, 0.015),
        colours=looks.skin,
        num_sides=6,
        num_bands=5,
    )
    lips = np.array([70.0, 70, 150]) * 0.5 + looks.skin * 0.3
    mouth = patch((0, centre_height - 0.48 * half_height, 0.9 * front), (0.017, 0.005), facing=1, colour=lips)
    return [*pieces, Part(Bone.HEAD, nose, 0.006), Part(Bone.HEAD, mouth, 0.012)]


def _headgear(looks: Appearance, size: Skull) -> list[Part]:
    half_width, half_height, half_depth = size.half_axes
    centre_height = size.centre[1]
    if looks.hair_style is HairStyle.CAP:
        brim = (0, centre_height + 0.38 * half_height, size.centre[2] + half_depth + 0.012)
        return [Part(Bone.HEAD, box(brim, (0.75 * half_width, 0.004, 0.036), colour=looks.hair * 0.8), 0.006)]
    if looks.hair_style is HairStyle.LONG:
        rings = (
            Ring(centre_height + 0.2 * half_height, 0.95 * half_width, 0.5 * half_depth, -0.45 * half_depth),
            Ring(centre_height - half_height, 1.0 * half_width, 0.35 * half_depth, -0.7 * half_depth),
            Ring(centre_height - 1.5 * half_height, 0.7 * half_width, 0.2 * half_depth, -0.8 * half_depth),
        )
        return [Part(Bone.HEAD, tube(rings, colours=looks.hair * 0.95, num_sides=10), 0.0)]
    if looks.hair_style is HairStyle.TAIL:
        tail = (0, centre_height - 0.15 * half_height, size.centre[2] - 1.35 * half_depth)
        half_axes = (0.018, 0.055, 0.022)
        return [Part(Bone.HEAD, ellipsoid(tail, half_axes, colours=looks.hair, num_sides=8, num_bands=6), 0.0)]
    return []


def build_head(looks: Appearance, *, head_length: float) -> list[Part]:
    """Return the pieces of a head whose top is ``head_length`` statures above the upper neck."""
    size = skull(head_length)
    mesh = ellipsoid(size.centre, size.half_axes, colours=looks.skin, num_sides=NUM_SIDES, num_bands=NUM_BANDS)
    directions = (mesh.vertices[mesh.quads].mean(axis=1) - size.centre) / np.array(size.half_axes)
    colours = np.where(_is_hair(directions, looks.hair_style)[:, None], looks.hair, looks.skin)
    return [Part(Bone.HEAD, mesh._replace(colours=colours), 0.0), *_features(looks, size), *_headgear(looks, size)]
