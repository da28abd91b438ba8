"""How a person looks: skin, hair, clothes, build and what is carried. Colours are BGR, 0 to 255."""

import colorsys
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

SKIN_TONES: Final = np.array(
    [[185, 205, 240], [160, 185, 228], [135, 165, 215], [110, 145, 200], [85, 120, 178], [60, 90, 145], [42, 62, 105]]
)
HAIR_TONES: Final = np.array(
    [[18, 18, 22], [30, 38, 52], [40, 62, 92], [60, 95, 140], [110, 165, 205], [35, 60, 140], [165, 165, 168]]
)


class HairStyle(Enum):
    """What covers the skull."""

    SHORT = "short"
    LONG = "long"
    TAIL = "tail"
    BALD = "bald"
    CAP = "cap"


class Pattern(Enum):
    """How the bands of a garment are coloured."""

    PLAIN = "plain"
    STRIPES = "stripes"
    HALVES = "halves"


class Held(Enum):
    """What a hand holds."""

    NOTHING = "nothing"
    BALL = "ball"
    STICK = "stick"
    RACKET = "racket"
    BOX = "box"


@dataclass(frozen=True, kw_only=True)
class Garment:
    """A piece of clothing."""

    colour: np.ndarray  # (3,), main colour
    accent: np.ndarray  # (3,), second colour of the pattern
    pattern: Pattern  # how the two are laid out
    reach: float  # share of the limb's two segments that is covered: 0 none, 1 down to the wrist or ankle


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Everything about a person but bones and pose."""

    skin: np.ndarray  # (3,), colour
    hair: np.ndarray  # (3,), colour of hair, or of the cap
    hair_style: HairStyle  # what covers the skull
    top: Garment  # shirt or jacket
    trousers: Garment  # trousers, shorts or tights
    shoes: np.ndarray  # (3,), colour; the skin's for bare feet
    emblem: np.ndarray  # (3,), colour of the print on the chest
    jacket: bool  # whether the top opens at the front and shows a strip of another shirt
    skirt: bool  # whether a skirt goes over the thighs
    backpack: bool  # whether a backpack is worn
    stoutness: float  # factor on the girth of all limbs and the trunk
    held: tuple[Held, Held]  # what the left and the right hand hold


def sample_colour(rng: np.random.Generator) -> np.ndarray:
    """Sample a colour (3,) of cloth or paint: any hue, from grey to vivid, from dark to bright."""
    hue, saturation, value = rng.random(), rng.beta(1.2, 1.6), rng.uniform(0.12, 0.97)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return np.array([blue, green, red]) * 255


def sample_skin(rng: np.random.Generator) -> np.ndarray:
    """Sample a skin colour (3,)."""
    return np.clip(SKIN_TONES[rng.integers(len(SKIN_TONES))] * rng.uniform(0.9, 1.08) + rng.normal(0, 5, 3), 15, 250)


def _contrasting(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Sample a colour at least 70 levels brighter or darker than ``colour``."""
    brightness = colour.mean()
    target = brightness + 70 if brightness < 110 else brightness - 70
    drawn = sample_colour(rng)
    if abs(drawn.mean() - brightness) >= 70:
        return drawn
    return np.clip(drawn + (target - drawn.mean()), 0, 255)


def _sample_garment(rng: np.random.Generator, reach: float) -> Garment:
    colour = sample_colour(rng)
    pattern = rng.choice(np.array(list(Pattern), dtype=object), p=[0.68, 0.2, 0.12])
    return Garment(colour=colour, accent=_contrasting(rng, colour), pattern=pattern, reach=reach)


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Sample a person's appearance."""
    skin = sample_skin(rng)
    hair_style = rng.choice(np.array(list(HairStyle), dtype=object), p=[0.44, 0.2, 0.12, 0.08, 0.16])
    hair = HAIR_TONES[rng.integers(len(HAIR_TONES))] * rng.uniform(0.7, 1.2)
    top = _sample_garment(rng, float(rng.choice([0.0, 0.25, 0.32, 0.6, 0.97], p=[0.1, 0.2, 0.25, 0.08, 0.37])))
    trousers = _sample_garment(rng, float(rng.choice([0.1, 0.3, 0.45, 0.7, 0.97], p=[0.05, 0.18, 0.12, 0.08, 0.57])))
    if rng.random() < 0.06:
        top = Garment(colour=skin, accent=skin, pattern=Pattern.PLAIN, reach=0.0)
    things = rng.choice(np.array(list(Held), dtype=object), p=[0.84, 0.05, 0.05, 0.03, 0.03], size=2)
    return Appearance(
        skin=skin,
        hair=sample_colour(rng) if hair_style is HairStyle.CAP else np.clip(hair, 8, 235),
        hair_style=hair_style,
        top=top,
        trousers=trousers,
        shoes=skin if rng.random() < 0.15 else sample_colour(rng),
        emblem=_contrasting(rng, top.colour),
        jacket=bool(rng.random() < 0.3),
        skirt=bool(rng.random() < 0.1),
        backpack=bool(rng.random() < 0.1),
        stoutness=float(np.exp(rng.normal(0.0, 0.1))),
        held=(things[0], things[1]),
    )
