"""Arms and legs: tapered capsules in the colours of sleeve and skin, hands with thumbs, feet that point forward."""

from typing import Final

import numpy as np

from synthetic_people.body import Bone, Proportions
from synthetic_people.meshes import Part, box, capsule, ellipsoid
from synthetic_people.wardrobe import Appearance, Garment, Held, Pattern

NUM_SIDES: Final = 10
LIMB_BANDS: Final = 8


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
