"""From pixels to metres, by a known length or by the person's height.

One factor for the whole image holds only for movement in one plane parallel to it, by a camera that does not move or
zoom: at twice the distance a person has half the pixels.

The proportions are those of Drillis and Contini (1966) as Winter, "Biomechanics and Motor Control of Human Movement",
Figure 4.1, gives them, as shares of the standing height: ankle joint 0.039, eyes 0.936, top of the head 1. They are
means of adults; single people differ by some per cent, children more (larger heads, shorter legs).
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.angles import ALL_ANGLES, HEAD, HIPS, SHOULDERS, angle_over_time, landmark_indices
from efficientpose.movement.recording import Floats, Recording, Track

HEIGHT_OF_ANKLE: Final = 0.039
HEIGHT_OF_TOP: Final = ((HEAD, 1.0), ((("left_eye", "right_eye"),), 0.936))
"""What a skeleton may have of the head, and at which share of the height it is; the first that it has is taken."""

MAX_BEND: Final = 20.0
"""Degrees that knees may be bent, and that trunk, thighs and shanks may lean from the vertical, in standing."""

UPRIGHT: Final = tuple(
    angle for angle in ALL_ANGLES if angle.name.endswith(("trunk", "_thigh", "_shank", "_knee_flexion"))
)
"""The angles that are near 0 in standing."""


class Scale(NamedTuple):
    """How large a pixel is: the median over frames, and the frames' interquartile range as a share of the median."""

    metres_per_pixel: float
    num_frames: int
    spread: float


def scale_from_length(recording: Recording, track: Track, one: str, other: str, *, metres: float) -> Scale:
    """Return the scale by the length between two of a person's keypoints: the median over the frames that have both.

    A limb that leaves the image's plane looks shorter, so choose one that stays in it.

    Raises:
        ValueError: If the length is not positive, a name is unknown, or no frame has both keypoints.
    """
    _check_positive(metres, f"the length from {one} to {other}")
    ends = track.keypoints[:, [recording.index_of(one), recording.index_of(other)]]
    lengths = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    lengths = lengths[lengths > 0]
    if not len(lengths):
        raise ValueError(f"person {track.person}: no frame has both {one} and {other} in different places")
    return _median_scale(metres / lengths)


def scale_from_height(recording: Recording, track: Track, *, metres: float) -> Scale:
    """Return the scale by the height without shoes: the median over the frames in which the person stands.

    The standing height in pixels is that from the head to the middle of the hips plus thigh and shank (the mean of the
    sides that are seen), which feet apart do not change, divided by the share of the height that lies between head and
    ankles. A person stands in a frame if the trunk leans less than ``MAX_BEND`` from the image's vertical and, on
    each side that is seen, so do thigh and shank, and the knee bends less.

    Raises:
        ValueError: If the height is not positive, the skeleton lacks a keypoint, or no frame has the person standing.
    """
    _check_positive(metres, "the height")
    names = recording.keypoint_names
    pixels, share = _body_length(track, names)
    is_standing = _is_standing(track, names) & np.isfinite(pixels)
    if not is_standing.any():
        seen = int(np.isfinite(pixels).sum())
        raise ValueError(
            f"person {track.person}: no frame has the person standing upright with head, hips, a knee and its ankle in "
            f"sight ({seen} of {len(pixels)} frames have these keypoints); give a known length instead"
        )
    return _median_scale(metres * share / pixels[is_standing])


def _body_length(track: Track, names: Sequence[str]) -> tuple[Floats, float]:
    """Return (T,) pixels from the head along the body to the ankles, and the share of the height that this is."""
    tops = [(landmark_indices(names, landmark), height) for landmark, height in HEIGHT_OF_TOP]
    top, height = next(((indices, height) for indices, height in tops if indices is not None), (None, math.nan))
    hips = landmark_indices(names, HIPS)
    if top is None or hips is None or landmark_indices(names, SHOULDERS) is None:
        raise ValueError(
            "the height needs head_top, head or both eyes, thorax, neck or both shoulders, and pelvis, hip or both "
            f"hips among the keypoints: there are {', '.join(names)}"
        )
    legs = [[f"{side}_{joint}" for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]
    if missing := [name for leg in legs for name in leg if name not in names]:
        raise ValueError(f"the height needs {', '.join(missing)} among the keypoints: there are {', '.join(names)}")
    points = track.keypoints
    upper = np.hypot(*(points[:, top].mean(axis=1) - points[:, hips].mean(axis=1)).T)
    steps = np.diff(points[:, [[list(names).index(name) for name in leg] for leg in legs]], axis=2)  # (T, 2, 2, xy)
    lengths = np.hypot(steps[..., 0], steps[..., 1]).sum(axis=2)  # (T, 2 legs)
    num_legs = np.isfinite(lengths).sum(axis=1)
    lower = np.where(num_legs > 0, np.nansum(lengths, axis=1) / np.maximum(num_legs, 1), np.nan)
    return upper + lower, height - HEIGHT_OF_ANKLE


def _is_standing(track: Track, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return (T,) whether the trunk is upright, and the legs as far as they are seen."""
    is_standing = np.ones(len(track.scores), dtype=np.bool_)
    for definition in UPRIGHT:
        degrees = angle_over_time(track, names, definition)
        if degrees is not None:
            lean = np.abs((degrees + 180) % 360 - 180)  # a person who has turned head over heels stands at 360
            is_standing &= lean < MAX_BEND if definition.name == "trunk" else ~(lean >= MAX_BEND)
    return is_standing


def _median_scale(factors: Floats) -> Scale:
    low, middle, high = np.quantile(factors, [0.25, 0.5, 0.75])
    return Scale(float(middle), len(factors), float((high - low) / middle))


def _check_positive(metres: float, what: str) -> None:
    if not (math.isfinite(metres) and metres > 0):
        raise ValueError(f"{what} must be above 0 metres, got {metres}")
