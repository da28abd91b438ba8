"""The articulated body: rotations, proportions, joint angles with their limits, and forward kinematics.

Lengths are in statures, angles in degrees. In the neutral pose every angle is 0: the person stands with hanging arms,
the palms on the thighs, and every bone's frame has the body axes (x to the person's left, y up, z forward). Angles of
a side have the anatomical sign, so equal numbers on both sides give a symmetric pose.
"""

import math
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from efficientpose.core.skeleton import KEYPOINT_NAMES, NUM_KEYPOINTS


def rotation_x(degrees: float) -> np.ndarray:
    """Return the right-handed rotation (3, 3) about x, which tips up towards forward."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])


def rotation_y(degrees: float) -> np.ndarray:
    """Return the rotation (3, 3) about y, which turns forward towards the left."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def rotation_z(degrees: float) -> np.ndarray:
    """Return the rotation (3, 3) about z, which lifts the left towards up."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


class Bone(IntEnum):
    """Rigid segments, each with a frame at its proximal joint."""

    PELVIS = 0
    ABDOMEN = 1
    CHEST = 2
    NECK = 3
    HEAD = 4
    LEFT_CLAVICLE = 5
    LEFT_UPPER_ARM = 6
    LEFT_FOREARM = 7
    LEFT_HAND = 8
    LEFT_THIGH = 9
    LEFT_SHANK = 10
    LEFT_FOOT = 11
    RIGHT_CLAVICLE = 12
    RIGHT_UPPER_ARM = 13
    RIGHT_FOREARM = 14
    RIGHT_HAND = 15
    RIGHT_THIGH = 16
    RIGHT_SHANK = 17
    RIGHT_FOOT = 18


NUM_BONES: Final = len(Bone)


@dataclass(frozen=True, kw_only=True)
class Proportions:
    """Bone lengths in statures; the defaults are an adult's (sums to 1 with a foot height of 0.04)."""

    hip_half_width: float = 0.056
    pelvis: float = 0.070
    abdomen: float = 0.070
    chest: float = 0.135
    neck: float = 0.050
    head: float = 0.145
    shoulder_half_width: float = 0.100
    upper_arm: float = 0.170
    forearm: float = 0.146
    thigh: float = 0.245
    shank: float = 0.245


@dataclass(frozen=True, kw_only=True)
class AxialAngles:
    """Spine and neck: flexion bends forward, bend leans to the person's left, twist turns to the person's left."""

    spine_flexion: float = 0.0
    spine_bend: float = 0.0
    spine_twist: float = 0.0
    neck_flexion: float = 0.0
    neck_bend: float = 0.0
    neck_twist: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SideAngles:
    """One arm and one leg.

    ``shoulder_elevation`` is the angle of the upper arm from hanging; ``shoulder_azimuth`` says in which vertical
    plane: 0 to the side, 90 forward, negative behind. Rotations about the limb are positive outwards.
    ``ankle_flexion`` is positive with the toes pointed.
    """

    clavicle_elevation: float = 0.0
    shoulder_elevation: float = 0.0
    shoulder_azimuth: float = 0.0
    shoulder_rotation: float = 0.0
    elbow_flexion: float = 0.0
    wrist_flexion: float = 0.0
    hip_flexion: float = 0.0
    hip_abduction: float = 0.0
    hip_rotation: float = 0.0
    knee_flexion: float = 0.0
    ankle_flexion: float = 0.0


@dataclass(frozen=True, kw_only=True)
class JointAngles:
    """All angles of a pose."""

    axial: AxialAngles
    left: SideAngles
    right: SideAngles


class Limit(NamedTuple):
    """Smallest and largest value of an angle, degrees."""

    lower: float
    upper: float


LIMITS: Final = {
    "spine_flexion": Limit(-30.0, 75.0),
    "spine_bend": Limit(-35.0, 35.0),
    "spine_twist": Limit(-45.0, 45.0),
    "neck_flexion": Limit(-45.0, 45.0),
    "neck_bend": Limit(-30.0, 30.0),
    "neck_twist": Limit(-65.0, 65.0),
    "clavicle_elevation": Limit(-6.0, 30.0),
    "shoulder_elevation": Limit(0.0, 175.0),
    "shoulder_azimuth": Limit(-45.0, 120.0),
    "shoulder_rotation": Limit(-80.0, 60.0),
    "elbow_flexion": Limit(0.0, 145.0),
    "wrist_flexion": Limit(-50.0, 60.0),
    "hip_flexion": Limit(-25.0, 125.0),
    "hip_abduction": Limit(-18.0, 65.0),
    "hip_rotation": Limit(-30.0, 50.0),
    "knee_flexion": Limit(0.0, 145.0),
    "ankle_flexion": Limit(-20.0, 45.0),
}
"""Joint limits of a flexible adult, degrees, by the name of the angle."""


class PosedBody(NamedTuple):
    """A body in space."""

    rotations: np.ndarray  # (NUM_BONES, 3, 3), from each bone's frame to the frame the root was given in
    origins: np.ndarray  # (NUM_BONES, 3), proximal joint of each bone, statures; the pelvis is at 0
    joints: np.ndarray  # (NUM_KEYPOINTS, 3), MPII keypoints in the same frame


def check_limits(angles: JointAngles) -> None:
    """Raise ValueError if an angle lies outside its limits."""
    for part in (angles.axial, angles.left, angles.right):
        for field in fields(part):
            value, limit = getattr(part, field.name), LIMITS[field.name]
            if not limit.lower <= value <= limit.upper:
                raise ValueError(f"{field.name} is {value:g} degrees: it must be in [{limit.lower:g}, {limit.upper:g}]")


class _Poser:
    """Frames and keypoints, filled in from the pelvis outwards."""

    def __init__(self, root: np.ndarray) -> None:
        self.rotations = np.tile(root, (NUM_BONES, 1, 1))
        self.origins = np.zeros((NUM_BONES, 3))
        self.joints = np.zeros((NUM_KEYPOINTS, 3))

    def attach(self, bone: Bone, parent: Bone, offset: tuple[float, float, float], rotation: np.ndarray) -> None:
        """Put ``bone`` at ``offset`` in the frame of ``parent``, with its ``rotation`` (3, 3) against it."""
        self.origins[bone] = self.point(parent, offset)
        self.rotations[bone] = self.rotations[parent] @ rotation

    def point(self, bone: Bone, offset: tuple[float, float, float]) -> np.ndarray:
        """Return the position (3,) of ``offset`` in the frame of ``bone``."""
        return self.origins[bone] + self.rotations[bone] @ np.array(offset)

    def mark(self, keypoint: str, position: np.ndarray) -> None:
        """Set a keypoint."""
        self.joints[KEYPOINT_NAMES.index(keypoint)] = position


def _pose_trunk(poser: _Poser, angles: AxialAngles, proportions: Proportions) -> None:
    half_spine, half_neck = (
        rotation_y(twist / 2) @ rotation_x(flexion / 2) @ rotation_z(-bend / 2)
        for twist, flexion, bend in (
            (angles.spine_twist, angles.spine_flexion, angles.spine_bend),
            (angles.neck_twist, angles.neck_flexion, angles.neck_bend),
        )
    )
    poser.attach(Bone.ABDOMEN, Bone.PELVIS, (0.0, proportions.pelvis, 0.0), half_spine)
    poser.attach(Bone.CHEST, Bone.ABDOMEN, (0.0, proportions.abdomen, 0.0), half_spine)
    poser.attach(Bone.NECK, Bone.CHEST, (0.0, proportions.chest, 0.0), half_neck)
    poser.attach(Bone.HEAD, Bone.NECK, (0.0, proportions.neck, 0.0), half_neck)
    poser.mark("pelvis", poser.origins[Bone.PELVIS])
    poser.mark("thorax", poser.origins[Bone.NECK])
    poser.mark("upper_neck", poser.origins[Bone.HEAD])
    poser.mark("head_top", poser.point(Bone.HEAD, (0.0, proportions.head, 0.0)))


def _pose_arm(poser: _Poser, side: str, angles: SideAngles, proportions: Proportions) -> None:
    sign = 1.0 if side == "left" else -1.0
    clavicle, upper_arm, forearm, hand = (
        Bone[f"{side.upper()}_{segment}"] for segment in ("CLAVICLE", "UPPER_ARM", "FOREARM", "HAND")
    )
    azimuth = sign * angles.shoulder_azimuth
    # Turning back by the azimuth keeps a hanging arm's frame the same in every plane of elevation.
    shoulder = (
        rotation_y(-azimuth)
        @ rotation_z(sign * angles.shoulder_elevation)
        @ rotation_y(azimuth + sign * angles.shoulder_rotation)
    )
    poser.attach(clavicle, Bone.NECK, (0.0, 0.0, 0.0), np.eye(3))
    poser.rotations[clavicle] = poser.rotations[Bone.CHEST] @ rotation_z(sign * angles.clavicle_elevation)
    poser.attach(upper_arm, clavicle, (sign * proportions.shoulder_half_width, 0.0, 0.0), shoulder)
    poser.attach(forearm, upper_arm, (0.0, -proportions.upper_arm, 0.0), rotation_x(-angles.elbow_flexion))
    poser.attach(hand, forearm, (0.0, -proportions.forearm, 0.0), rotation_x(-angles.wrist_flexion))
    poser.mark(f"{side}_shoulder", poser.origins[upper_arm])
    poser.mark(f"{side}_elbow", poser.origins[forearm])
    poser.mark(f"{side}_wrist", poser.origins[hand])


def _pose_leg(poser: _Poser, side: str, angles: SideAngles, proportions: Proportions) -> None:
    sign = 1.0 if side == "left" else -1.0
    thigh, shank, foot = (Bone[f"{side.upper()}_{segment}"] for segment in ("THIGH", "SHANK", "FOOT"))
    hip = (
        rotation_x(-angles.hip_flexion)
        @ rotation_z(sign * angles.hip_abduction)
        @ rotation_y(sign * angles.hip_rotation)
    )
    poser.attach(thigh, Bone.PELVIS, (sign * proportions.hip_half_width, 0.0, 0.0), hip)
    poser.attach(shank, thigh, (0.0, -proportions.thigh, 0.0), rotation_x(angles.knee_flexion))
    poser.attach(foot, shank, (0.0, -proportions.shank, 0.0), rotation_x(angles.ankle_flexion))
    poser.mark(f"{side}_hip", poser.origins[thigh])
    poser.mark(f"{side}_knee", poser.origins[shank])
    poser.mark(f"{side}_ankle", poser.origins[foot])


def pose_body(angles: JointAngles, *, proportions: Proportions, root: np.ndarray) -> PosedBody:
    """Place every bone and keypoint (forward kinematics), with the pelvis at the origin.

    ``root`` (3, 3) turns the pelvis into the frame of the result. Raises ValueError if an angle is outside its limits.
    """
    check_limits(angles)
    poser = _Poser(root)
    _pose_trunk(poser, angles.axial, proportions)
    for side, side_angles in (("left", angles.left), ("right", angles.right)):
        _pose_arm(poser, side, side_angles, proportions)
        _pose_leg(poser, side, side_angles, proportions)
    return PosedBody(poser.rotations, poser.origins, poser.joints)
