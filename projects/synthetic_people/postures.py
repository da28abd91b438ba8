"""Postures as distributions of joint angles, and one pose or one physique sampled from them."""

from dataclasses import fields
from typing import Final, NamedTuple, TypeVar

import numpy as np

from synthetic_people.body import (
    LIMITS,
    AxialAngles,
    JointAngles,
    Proportions,
    SideAngles,
    rotation_x,
    rotation_y,
    rotation_z,
)


class Spread(NamedTuple):
    """Mean and standard deviation of an angle, degrees."""

    mean: float
    deviation: float


class LegStyle(NamedTuple):
    """How one leg is held."""

    hip_flexion: Spread
    knee_flexion: Spread
    hip_abduction: Spread = Spread(5, 5)
    hip_rotation: Spread = Spread(8, 9)
    ankle_flexion: Spread = Spread(5, 8)


class ArmStyle(NamedTuple):
    """How one arm is held."""

    shoulder_elevation: Spread
    shoulder_azimuth: Spread
    elbow_flexion: Spread
    shoulder_rotation: Spread = Spread(-10, 18)
    wrist_flexion: Spread = Spread(0, 18)


class Posture(NamedTuple):
    """How trunk and legs are held, and how often."""

    weight: float  # relative frequency
    legs: tuple[LegStyle, LegStyle]  # the two legs; which is left is drawn at random
    spine_flexion: Spread = Spread(4, 8)  # bend of the trunk
    pitch: Spread = Spread(2, 5)  # forward lean of the whole body (180 is upside down)
    roll: Spread = Spread(0, 5)  # sideways lean of the whole body


STRAIGHT: Final = LegStyle(Spread(3, 6), Spread(5, 6))
APART: Final = LegStyle(Spread(5, 8), Spread(7, 8), hip_abduction=Spread(20, 7))
STEP_FRONT: Final = LegStyle(Spread(28, 9), Spread(16, 12))
STEP_BACK: Final = LegStyle(Spread(-10, 6), Spread(28, 18), ankle_flexion=Spread(18, 9))
RUN_FRONT: Final = LegStyle(Spread(68, 16), Spread(75, 20))
RUN_BACK: Final = LegStyle(Spread(-8, 8), Spread(65, 28), ankle_flexion=Spread(25, 9))
SEATED: Final = LegStyle(Spread(86, 9), Spread(82, 16), hip_abduction=Spread(13, 9))
CROSSED: Final = LegStyle(Spread(88, 8), Spread(112, 12), hip_abduction=Spread(38, 8), hip_rotation=Spread(38, 8))
HALF_SQUAT: Final = LegStyle(Spread(58, 15), Spread(72, 18), hip_abduction=Spread(18, 9))
SQUAT: Final = LegStyle(Spread(106, 10), Spread(122, 12), hip_abduction=Spread(20, 9))
KNEELING: Final = LegStyle(Spread(6, 9), Spread(100, 18), ankle_flexion=Spread(35, 8))
KICK: Final = LegStyle(Spread(84, 20), Spread(18, 16), hip_abduction=Spread(12, 9))
SIDE_RAISED: Final = LegStyle(Spread(15, 12), Spread(18, 18), hip_abduction=Spread(52, 10))
TUCKED: Final = LegStyle(Spread(95, 18), Spread(105, 20), hip_abduction=Spread(10, 9))

POSTURES: Final = (
    Posture(20, (STRAIGHT, STRAIGHT)),
    Posture(9, (APART, APART)),
    Posture(10, (STEP_FRONT, STEP_BACK)),
    Posture(8, (RUN_FRONT, RUN_BACK), spine_flexion=Spread(12, 9), pitch=Spread(8, 7)),
    Posture(11, (SEATED, SEATED), spine_flexion=Spread(12, 12), pitch=Spread(-4, 8)),
    Posture(3, (CROSSED, CROSSED), spine_flexion=Spread(15, 12)),
    Posture(5, (HALF_SQUAT, HALF_SQUAT), spine_flexion=Spread(22, 12), pitch=Spread(12, 8)),
    Posture(3, (SQUAT, SQUAT), spine_flexion=Spread(25, 12), pitch=Spread(10, 8)),
    Posture(4, (KNEELING, SEATED), spine_flexion=Spread(10, 12)),
    Posture(6, (HALF_SQUAT, STEP_BACK), spine_flexion=Spread(12, 12), pitch=Spread(10, 8)),
    Posture(6, (STRAIGHT, STRAIGHT), spine_flexion=Spread(45, 16), pitch=Spread(28, 14)),
    Posture(4, (KICK, STRAIGHT), spine_flexion=Spread(2, 10), pitch=Spread(-8, 9), roll=Spread(0, 10)),
    Posture(3, (SIDE_RAISED, STRAIGHT), roll=Spread(0, 14)),
    Posture(5, (RUN_FRONT, STEP_BACK), spine_flexion=Spread(-6, 10), roll=Spread(0, 14)),
    Posture(2, (TUCKED, TUCKED), spine_flexion=Spread(25, 12), pitch=Spread(0, 40), roll=Spread(0, 14)),
    Posture(3, (STRAIGHT, HALF_SQUAT), pitch=Spread(-85, 10), roll=Spread(0, 30)),
    Posture(2, (STRAIGHT, RUN_FRONT), pitch=Spread(85, 10), roll=Spread(0, 20)),
    Posture(2, (STRAIGHT, APART), spine_flexion=Spread(-6, 9), pitch=Spread(178, 14), roll=Spread(0, 14)),
    Posture(2, (SIDE_RAISED, SIDE_RAISED), pitch=Spread(0, 10), roll=Spread(120, 50)),
)

ARM_STYLES: Final = (
    ArmStyle(Spread(13, 9), Spread(25, 40), Spread(16, 12)),  # hanging
    ArmStyle(Spread(22, 10), Spread(40, 30), Spread(80, 22)),  # carrying
    ArmStyle(Spread(45, 8), Spread(-8, 12), Spread(95, 14), shoulder_rotation=Spread(-62, 9)),  # hand on the hip
    ArmStyle(Spread(36, 10), Spread(65, 14), Spread(100, 16), shoulder_rotation=Spread(-45, 12)),  # before the belly
    ArmStyle(Spread(76, 18), Spread(80, 16), Spread(32, 28)),  # reaching forward
    ArmStyle(Spread(88, 14), Spread(5, 13), Spread(25, 28), shoulder_rotation=Spread(10, 30)),  # to the side
    ArmStyle(Spread(150, 16), Spread(35, 30), Spread(30, 30)),  # raised
    ArmStyle(Spread(115, 16), Spread(25, 25), Spread(110, 18), shoulder_rotation=Spread(25, 20)),  # hand at the head
    ArmStyle(Spread(35, 14), Spread(-40, 8), Spread(30, 22)),  # drawn back
)
ARM_WEIGHTS: Final = (22, 16, 8, 9, 14, 9, 11, 6, 5)

TRUNK: Final = {
    "spine_bend": Spread(0, 8),
    "spine_twist": Spread(0, 10),
    "neck_flexion": Spread(4, 12),
    "neck_bend": Spread(0, 8),
    "neck_twist": Spread(0, 22),
}

_Style = TypeVar("_Style", bound=tuple)


class Pose(NamedTuple):
    """Joint angles and the (3, 3) rotation of the pelvis into the world (y up; facing +z before ``root``)."""

    angles: JointAngles
    root: np.ndarray


def _sample_angle(rng: np.random.Generator, name: str, spread: Spread) -> float:
    limit = LIMITS[name]
    return float(np.clip(rng.normal(spread.mean, spread.deviation), limit.lower, limit.upper))


def _choose(rng: np.random.Generator, choices: tuple[_Style, ...], weights: tuple[float, ...]) -> _Style:
    shares = np.cumsum(weights) / np.sum(weights)
    return choices[int(np.searchsorted(shares, rng.random(), side="right"))]


def _sample_side(rng: np.random.Generator, arm: ArmStyle, leg: LegStyle) -> SideAngles:
    angles = {name: _sample_angle(rng, name, getattr(style, name)) for style in (arm, leg) for name in style._fields}
    # The shoulder blade follows an arm that is lifted above the horizontal.
    lift = 0.2 * max(0.0, angles["shoulder_elevation"] - 60.0)
    return SideAngles(clavicle_elevation=_sample_angle(rng, "clavicle_elevation", Spread(lift, 3)), **angles)


def _sample_yaw(rng: np.random.Generator) -> float:
    """Sample the way a person faces, degrees from the camera: as in photos, more often towards it than away."""
    centre, half_range = ((0.0, 60.0), (180.0, 60.0), (0.0, 180.0))[int(rng.choice(3, p=[0.35, 0.15, 0.5]))]
    return centre + float(rng.uniform(-half_range, half_range))


def sample_pose(rng: np.random.Generator) -> Pose:
    """Sample a posture, arms, and the way the person faces."""
    posture = _choose(rng, POSTURES, tuple(posture.weight for posture in POSTURES))
    left_arm = _choose(rng, ARM_STYLES, ARM_WEIGHTS)
    right_arm = left_arm if rng.random() < 0.4 else _choose(rng, ARM_STYLES, ARM_WEIGHTS)
    legs = posture.legs if rng.random() < 0.5 else posture.legs[::-1]
    axial = AxialAngles(
        spine_flexion=_sample_angle(rng, "spine_flexion", posture.spine_flexion),
        **{name: _sample_angle(rng, name, spread) for name, spread in TRUNK.items()},
    )
    angles = JointAngles(
        axial=axial, left=_sample_side(rng, left_arm, legs[0]), right=_sample_side(rng, right_arm, legs[1])
    )
    roll = rng.normal(*posture.roll) * (1 if rng.random() < 0.5 else -1)
    root = rotation_y(_sample_yaw(rng)) @ rotation_z(roll) @ rotation_x(rng.normal(*posture.pitch))
    return Pose(angles, root)


def sample_proportions(rng: np.random.Generator) -> Proportions:
    """Sample a physique: adults with every bone within a few per cent, and some children with larger heads."""
    childhood = rng.uniform(0.3, 1.0) if rng.random() < 0.15 else 0.0
    growth = {"head": 1 + 0.3 * childhood, "thigh": 1 - 0.12 * childhood, "shank": 1 - 0.12 * childhood}
    adult = Proportions()
    lengths = {
        field.name: getattr(adult, field.name) * growth.get(field.name, 1.0) * float(np.exp(rng.normal(0.0, 0.04)))
        for field in fields(adult)
    }
    return Proportions(**lengths)
