"""Other tools' orders and names of keypoints, and which of a recording's own keypoints stand in their places."""

from collections.abc import Sequence
from typing import Final

BODY_25: Final = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
)
"""OpenPose's order; ``neck`` is the middle of the shoulders and ``hip`` (MidHip) the middle of the hips."""

COCO_17: Final = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)

_OWN_NAME: Final = {"neck": "thorax", "hip": "pelvis", "head": "head_top"}
"""MPII's keypoint that stands where another tool's does: its thorax lies between the shoulders, as OpenPose's and
Pose2Sim's Neck does by construction; its upper neck lies higher, at the skull, and has no counterpart."""

_OTHER_NAME: Final = {own: other for other, own in _OWN_NAME.items()}


def place(keypoint_names: Sequence[str], wanted: Sequence[str]) -> tuple[int | None, ...]:
    """Return for each keypoint of another skeleton the index of the one that stands there, or None."""
    index = {name: number for number, name in enumerate(keypoint_names)}
    return tuple(index.get(name, index.get(_OWN_NAME.get(name, ""))) for name in wanted)


def place_some(keypoint_names: Sequence[str], wanted: Sequence[str]) -> tuple[int | None, ...]:
    """Return what ``place`` does; raises ValueError if none has a place, so that a file would hold zeros alone."""
    places = place(keypoint_names, wanted)
    if all(index is None for index in places):
        raise ValueError(f"none of the keypoints {', '.join(keypoint_names)} is one of {', '.join(wanted)}")
    return places


def marker_names(keypoint_names: Sequence[str]) -> tuple[str, ...]:
    """Return the marker names of Pose2Sim's OpenSim models: ``left_big_toe`` is LBigToe, ``pelvis`` Hip.

    ``thorax`` is Neck, ``head_top`` Head, and ``upper_neck``, which those models lack, UpperNeck. Where the recording
    has a ``neck``, ``hip`` or ``head`` of its own, that is the marker and the MPII keypoint keeps its name.
    """
    others = {name: _OTHER_NAME.get(name, name) for name in keypoint_names}
    return tuple(_marker_name(name if others[name] in others else others[name]) for name in keypoint_names)


def _marker_name(name: str) -> str:
    for side in ("left_", "right_"):
        if name.startswith(side):
            return side[0].upper() + _marker_name(name.removeprefix(side))
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
