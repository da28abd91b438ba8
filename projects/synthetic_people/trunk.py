"""The trunk: chest, waist and hips, with what tells its front from its back."""

import numpy as np

from synthetic_people.body import Bone, Proportions
from synthetic_people.meshes import Mesh, Part, Ring, box, ellipsoid, patch, tube
from synthetic_people.wardrobe import Appearance, Pattern


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
            patch((0, 0.75 * height, front), (0.014, 0.03), facing=1, colour=looks.emblem),
            patch((0, 0.28 * height, front), (0.014, 0.05), facing=1, colour=looks.emblem),
        ]
    else:
        marks = [patch((0, 0.55 * height, front), (0.036, 0.026), facing=1, colour=looks.emblem)]
    neckline = patch((0, 0.98 * height, 0.05 * girth), (0.02, 0.016), facing=1, colour=looks.skin)
    buckle = patch((0, 0.85 * proportions.pelvis, 0.056 * girth), (0.012, 0.01), facing=1, colour=looks.emblem)
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
