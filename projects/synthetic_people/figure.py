"""A dressed person as one mesh: head, trunk, limbs and belongings, each on a bone.

What tells front from back, and so left from right, is drawn in 3D: face and hair, print or open jacket on the chest,
buttocks, noses, thumbs and feet that point forward.
"""

from typing import Final, NamedTuple

import numpy as np

from synthetic_people.body import Bone, PosedBody, Proportions
from synthetic_people.meshes import Mesh, Part, Ring, box, capsule, ellipsoid, patch, tube
from synthetic_people.wardrobe import Appearance, Garment, HairStyle, Held, Pattern

NUM_SIDES: Final = 10
LIMB_BANDS: Final = 8


class Figure(NamedTuple):
    """All parts of a person in one mesh."""

    vertices: np.ndarray  # (V, 3), each in its bone's frame, statures
    bones: np.ndarray  # (V,), indices of ``Bone``
    quads: np.ndarray  # (F, 4), indices of vertices
    colours: np.ndarray  # (F, 3), BGR, 0 to 255
    biases: np.ndarray  # (F,), statures by which a face counts as nearer

    def place(self, body: PosedBody) -> np.ndarray:
        """Return the vertices (V, 3) in the frame of the posed body."""
        turned = np.einsum("vij,vj->vi", body.rotations[self.bones], self.vertices)
        return turned + body.origins[self.bones]


def _join(parts: list[Part]) -> Figure:
    counts = [len(part.mesh.vertices) for part in parts]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Figure(
        vertices=np.concatenate([part.mesh.vertices for part in parts]),
        bones=np.repeat([int(part.bone) for part in parts], counts),
        quads=np.concatenate([part.mesh.quads + start for part, start in zip(parts, starts, strict=True)]),
        colours=np.concatenate([part.mesh.colours for part in parts]),
        biases=np.repeat([part.bias for part in parts], [len(part.mesh.quads) for part in parts]),
    )


def build_figure(looks: Appearance, proportions: Proportions) -> Figure:
    """Build the mesh of a person; it can be placed in any pose of a body with these proportions."""
    parts = [*build_trunk(looks, proportions), *build_head(looks, head_length=proportions.head)]
    for side, held in zip(("LEFT", "RIGHT"), looks.held, strict=True):
        parts += build_arm(side, looks, proportions)
        parts += build_leg(side, looks, proportions)
        parts += build_belonging(side, held, looks.emblem)
    return _join(parts)


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
        eye = patch((x, y, 0.93 * front), (0.011, 0.0065), colour=white)
        pupil = patch((x, y, 0.935 * front), (0.006, 0.0065), colour=dark)
        brow = patch((x, y + 0.017, 0.92 * front), (0.014, 0.004), colour=looks.hair * 0.8)
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
    mouth = patch((0, centre_height - 0.48 * half_height, 0.9 * front), (0.017, 0.005), colour=lips)
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
    mesh = ellipsoid(size.centre, size.half_axes, colours=looks.skin, num_sides=16, num_bands=12)
    directions = (mesh.vertices[mesh.quads].mean(axis=1) - size.centre) / np.array(size.half_axes)
    colours = np.where(_is_hair(directions, looks.hair_style)[:, None], looks.hair, looks.skin)
    return [Part(Bone.HEAD, mesh._replace(colours=colours), 0.0), *_features(looks, size), *_headgear(looks, size)]


def _chest(looks: Appearance, proportions: Proportions) -> Mesh:
    girth, wide, height, top = looks.stoutness, proportions.shoulder_half_width, proportions.chest, looks.top
    colours = np.tile(top.colour, (7, 1))
    if top.pattern is Pattern.STRIPES:
        colours[1::2] = top.accent
    elif top.pattern is Pattern.HALVES:
        colours[:4] = top.accent
    colours[0] = looks.skin if top.reach < 0.3 else top.colour
    rings = (
        Ring(height + 0.018, 0.03, 0.026),
        Ring(height + 0.008, 0.6 * wide, 0.036),
        Ring(height - 0.022, 0.93 * wide, 0.048 * girth),
        Ring(0.62 * height, 0.9 * wide * girth**0.5, 0.059 * girth, 0.006),
        Ring(0.38 * height, 0.84 * wide * girth**0.5, 0.06 * girth, 0.008),
        Ring(0.1 * height, 0.075 * girth, 0.053 * girth, 0.003),
        Ring(-0.02, 0.068 * girth, 0.048 * girth),
        Ring(-0.04, 0.0, 0.0),
    )
    return tube(rings, colours=colours, num_sides=14)


def _hips(looks: Appearance, proportions: Proportions) -> list[Part]:
    girth, half_width, height = looks.stoutness, proportions.hip_half_width, proportions.pelvis
    colour = looks.trousers.colour
    rings = (
        Ring(height + 0.02, 0.068 * girth, 0.048 * girth),
        Ring(0.5 * height, 0.08 * girth, 0.056 * girth),
        Ring(0.0, half_width + 0.034 * girth, 0.056 * girth),
        Ring(-0.03, half_width + 0.03 * girth, 0.05 * girth),
        Ring(-0.055, 0.02, 0.02),
    )
    belt_and_seat = np.stack([colour * 0.6, colour, colour, colour])
    half_axes = (0.034 * girth, 0.04, 0.034)
    buttocks = [
        ellipsoid((x, -0.018, -0.034 * girth), half_axes, colours=colour, num_sides=8, num_bands=5)
        for x in (-0.03, 0.03)
    ]
    return [Part(Bone.PELVIS, mesh) for mesh in (tube(rings, colours=belt_and_seat, num_sides=12), *buttocks)]


def _prints(looks: Appearance, proportions: Proportions) -> list[Part]:
    """Return the flat things on the front: an emblem or an open jacket, the neckline and the buckle."""
    girth, height = looks.stoutness, proportions.chest
    front = 0.066 * girth + 0.002
    if looks.jacket:
        marks = [
            patch((0, 0.75 * height, front), (0.014, 0.03), colour=looks.emblem),
            patch((0, 0.28 * height, front), (0.014, 0.05), colour=looks.emblem),
        ]
    else:
        marks = [patch((0, 0.55 * height, front), (0.036, 0.026), colour=looks.emblem)]
    neckline = patch((0, 0.98 * height, 0.05 * girth), (0.02, 0.016), colour=looks.skin)
    buckle = patch((0, 0.85 * proportions.pelvis, 0.056 * girth), (0.012, 0.01), colour=looks.emblem)
    return [*(Part(Bone.CHEST, mark, 0.02) for mark in (*marks, neckline)), Part(Bone.PELVIS, buckle, 0.02)]


def _outerwear(looks: Appearance, proportions: Proportions) -> list[Part]:
    """Return the skirt and the backpack, where worn."""
    girth, parts = looks.stoutness, []
    if looks.skirt:
        rings = (
            Ring(0.04, 0.085 * girth, 0.06 * girth),
            Ring(-0.04, 0.105 * girth, 0.08 * girth),
            Ring(-0.13, 0.125 * girth, 0.1 * girth),
        )
        parts.append(Part(Bone.PELVIS, tube(rings, colours=looks.trousers.accent, num_sides=14)))
    if looks.backpack:
        centre = (0, 0.4 * proportions.chest, -0.1 * girth)
        parts.append(Part(Bone.CHEST, box(centre, (0.075, 0.095, 0.045), colour=looks.emblem)))
    return parts


def build_trunk(looks: Appearance, proportions: Proportions) -> list[Part]:
    """Return the parts from the hips to the neck."""
    waist = ellipsoid(
        (0, 0.5 * proportions.abdomen, 0.003),
        (0.073 * looks.stoutness, 0.075, 0.052 * looks.stoutness),
        colours=looks.top.colour,
        num_sides=12,
        num_bands=6,
    )
    neck = tube(
        (Ring(proportions.neck + 0.02, 0.027, 0.028, 0.004), Ring(-0.02, 0.031, 0.03)),
        colours=looks.skin * 0.92,
        num_sides=10,
    )
    return [
        Part(Bone.CHEST, _chest(looks, proportions)),
        Part(Bone.ABDOMEN, waist),
        Part(Bone.NECK, neck),
        *_hips(looks, proportions),
        *_prints(looks, proportions),
        *_outerwear(looks, proportions),
    ]


def _limb_colours(garment: Garment, skin: np.ndarray, *, first: bool) -> np.ndarray:
    """Return the colours (LIMB_BANDS, 3) of the first (upper arm, thigh) or second segment of a clothed limb."""
    # Where the bands of a capsule end, as shares of the segment's length.
    ends = np.array([0.0, 0.0, 0.33, 0.6, 0.8, 1.0, 1.05, 1.1])
    ends = ends / 2 if first else 0.5 + ends / 2
    colours = np.tile(garment.colour, (LIMB_BANDS, 1))
    if garment.pattern is Pattern.STRIPES:
        colours[1::2] = garment.accent
    elif garment.pattern is Pattern.HALVES and not first:
        colours[:] = garment.accent
    colours[ends > garment.reach + 0.06] = skin
    return colours


def build_arm(side: str, looks: Appearance, proportions: Proportions) -> list[Part]:
    """Return the parts of the arm on ``side``, LEFT or RIGHT."""
    girth = looks.stoutness
    upper = _limb_colours(looks.top, looks.skin, first=True)
    lower = _limb_colours(looks.top, looks.skin, first=False)
    arm = capsule(
        length=proportions.upper_arm, radii=(0.034 * girth, 0.030 * girth, 0.023), colours=upper, num_sides=NUM_SIDES
    )
    forearm = capsule(
        length=proportions.forearm, radii=(0.024, 0.025 * girth, 0.017), colours=lower, num_sides=NUM_SIDES
    )
    palm = ellipsoid((0, -0.045, 0), (0.013, 0.05, 0.026), colours=looks.skin, num_sides=8, num_bands=5)
    thumb = ellipsoid((0, -0.035, 0.026), (0.009, 0.024, 0.011), colours=looks.skin * 0.95, num_sides=6, num_bands=4)
    hand = Bone[f"{side}_HAND"]
    return [
        Part(Bone[f"{side}_UPPER_ARM"], arm),
        Part(Bone[f"{side}_FOREARM"], forearm),
        Part(hand, palm),
        Part(hand, thumb),
    ]


def build_leg(side: str, looks: Appearance, proportions: Proportions) -> list[Part]:
    """Return the parts of the leg on ``side``, LEFT or RIGHT."""
    girth = looks.stoutness
    upper = _limb_colours(looks.trousers, looks.skin, first=True)
    lower = _limb_colours(looks.trousers, looks.skin, first=False)
    thigh = capsule(
        length=proportions.thigh, radii=(0.055 * girth, 0.050 * girth, 0.036), colours=upper, num_sides=NUM_SIDES
    )
    shank = capsule(length=proportions.shank, radii=(0.036, 0.037 * girth, 0.023), colours=lower, num_sides=NUM_SIDES)
    foot = ellipsoid((0, -0.022, 0.042), (0.027, 0.022, 0.085), colours=looks.shoes, num_sides=NUM_SIDES, num_bands=6)
    toe = ellipsoid((0, -0.026, 0.1), (0.024, 0.017, 0.03), colours=looks.shoes * 0.7 + 60, num_sides=8, num_bands=4)
    foot_bone = Bone[f"{side}_FOOT"]
    return [
        Part(Bone[f"{side}_THIGH"], thigh),
        Part(Bone[f"{side}_SHANK"], shank),
        Part(foot_bone, foot),
        Part(foot_bone, toe, 0.01),
    ]


def build_belonging(side: str, held: Held, colour: np.ndarray) -> list[Part]:
    """Return what the hand on ``side``, LEFT or RIGHT, holds."""
    hand = Bone[f"{side}_HAND"]
    if held is Held.BALL:
        return [Part(hand, ellipsoid((0, -0.11, 0.02), (0.06, 0.06, 0.06), colours=colour, num_sides=12, num_bands=8))]
    if held is Held.BOX:
        return [Part(hand, box((0, -0.13, 0.02), (0.05, 0.07, 0.08), colour=colour))]
    parts = []
    if held in (Held.STICK, Held.RACKET):
        parts.append(Part(hand, box((0, -0.07, 0.17), (0.007, 0.007, 0.2), colour=colour)))
    if held is Held.RACKET:
        parts.append(
            Part(hand, ellipsoid((0, -0.07, 0.42), (0.008, 0.055, 0.07), colours=colour, num_sides=8, num_bands=8))
        )
    return parts
