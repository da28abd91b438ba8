"""Joint and segment angles over time, in degrees, in the plane of the image.

| angle | between | 0 | grows with | range |
| --- | --- | --- | --- | --- |
| ``*_knee_flexion`` | thigh and shank | leg straight | bending | 0 to 180 |
| ``*_hip_flexion`` | trunk side (hip to shoulder) and thigh | standing upright | bending | 0 to 180 |
| ``*_ankle_dorsiflexion`` | shank and foot (ankle to big toe) | right angle | toes towards the shin | −90 to 90 |
| ``*_elbow_flexion`` | upper arm and forearm | arm straight | bending | 0 to 180 |
| ``*_shoulder_elevation`` | upper arm and trunk side | arm along the trunk | raising the arm | 0 to 180 |
| ``neck_flexion`` | trunk and head | head in line with the trunk | bending | 0 to 180 |

| segment | from and to | 0 | grows with |
| --- | --- | --- | --- |
| ``trunk``, ``head`` | upwards | upright | leaning to the image's left |
| ``*_thigh``, ``*_shank`` | from the far to the near end | standing upright | the upper end moving to the left |
| ``*_upper_arm``, ``*_forearm`` | from the far to the near end | hanging straight down | the same |
| ``shoulder_line``, ``hip_line`` | from the right to the left joint | level, facing the camera | the left side rising |
| ``*_foot`` | from heel to big toe | flat, toes to the image's right | the toes rising |

**Joint angles** have no sign: an image does not say to which side a joint bends, so an overstretched knee reads as a
bent one. They need no unwrapping. What is out of the image's plane is foreshortened; angles hold for movement in it.

**Segment angles** are counter-clockwise positive as one sees the image, although y points down in its pixels: for a
person who walks to the image's left, leaning forward is positive. Directions run from the far end to the near one, as
in Winter, so that a standing person's legs, arms and trunk all read 0. Each lies in (−180, 180] in its first frame and
is then **unwrapped**: from one seen frame to the next it takes the shorter way round, so a somersault goes on to 360
rather than jumping at 180. It takes the shorter way across a gap, too.

A missing keypoint makes its angles missing (NaN), and so does a segment without length. Nothing is carried over.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.core.skeleton import mirror_name
from efficientpose.movement.recording import Floats, Recording, Track

if TYPE_CHECKING:
    import pandas

Landmark = tuple[tuple[str, ...], ...]
"""Alternatives, the first that a skeleton has counts: the keypoint, or the middle of several."""

HIPS: Final[Landmark] = (("pelvis",), ("hip",), ("left_hip", "right_hip"))
"""Middle of the hips; Halpe calls it ``hip``."""

SHOULDERS: Final[Landmark] = (("thorax",), ("neck",), ("left_shoulder", "right_shoulder"))
"""Middle of the shoulders, where the neck begins: MPII's ``thorax`` and Halpe's ``neck``."""

HEAD: Final[Landmark] = (("head_top",), ("head",))


class JointAngle(NamedTuple):
    """The angle at ``joint`` between the directions to ``first`` and ``second``.

    With i the angle between the two, 0 to 180 degrees, the joint angle is ``sign`` × (i − ``neutral``).
    """

    name: str
    first: Landmark
    joint: Landmark
    second: Landmark
    neutral: float
    sign: int


class SegmentAngle(NamedTuple):
    """The direction from ``start`` to ``end`` against the image's ``reference``.

    "vertical" is 0 where the segment points straight up, "horizontal" where it points to the image's right edge; both
    grow counter-clockwise as one sees the image.
    """

    name: str
    start: Landmark
    end: Landmark
    reference: Literal["vertical", "horizontal"]


Angle = TypeVar("Angle", JointAngle, SegmentAngle)


def keypoint(name: str) -> Landmark:
    """Return the landmark that is one keypoint."""
    return ((name,),)


def _both_sides(left: Angle) -> tuple[Angle, Angle]:
    return left, type(left)(*(_mirrored(value) for value in left))


def _mirrored(value: Any) -> Any:
    """Mirror all names in an angle's definition; what is no name on one side of the body stays."""
    if isinstance(value, tuple):
        return tuple(_mirrored(part) for part in value)
    return mirror_name(value) if isinstance(value, str) else value


_ANKLE, _KNEE, _HIP = keypoint("left_ankle"), keypoint("left_knee"), keypoint("left_hip")
_WRIST, _ELBOW, _SHOULDER = keypoint("left_wrist"), keypoint("left_elbow"), keypoint("left_shoulder")
_TOE = keypoint("left_big_toe")

JOINT_ANGLES: Final = (
    *_both_sides(JointAngle("left_knee_flexion", _HIP, _KNEE, _ANKLE, neutral=180, sign=-1)),
    *_both_sides(JointAngle("left_hip_flexion", _SHOULDER, _HIP, _KNEE, neutral=180, sign=-1)),
    *_both_sides(JointAngle("left_ankle_dorsiflexion", _KNEE, _ANKLE, _TOE, neutral=90, sign=-1)),
    *_both_sides(JointAngle("left_elbow_flexion", _SHOULDER, _ELBOW, _WRIST, neutral=180, sign=-1)),
    *_both_sides(JointAngle("left_shoulder_elevation", _ELBOW, _SHOULDER, _HIP, neutral=0, sign=1)),
    JointAngle("neck_flexion", HEAD, SHOULDERS, HIPS, neutral=180, sign=-1),
)

SEGMENT_ANGLES: Final = (
    SegmentAngle("trunk", HIPS, SHOULDERS, "vertical"),
    SegmentAngle("head", SHOULDERS, HEAD, "vertical"),
    SegmentAngle("shoulder_line", keypoint("right_shoulder"), _SHOULDER, "horizontal"),
    SegmentAngle("hip_line", keypoint("right_hip"), _HIP, "horizontal"),
    *_both_sides(SegmentAngle("left_thigh", _KNEE, _HIP, "vertical")),
    *_both_sides(SegmentAngle("left_shank", _ANKLE, _KNEE, "vertical")),
    *_both_sides(SegmentAngle("left_upper_arm", _ELBOW, _SHOULDER, "vertical")),
    *_both_sides(SegmentAngle("left_forearm", _WRIST, _ELBOW, "vertical")),
    *_both_sides(SegmentAngle("left_foot", keypoint("left_heel"), _TOE, "horizontal")),
)

ALL_ANGLES: tuple[JointAngle | SegmentAngle, ...] = (*JOINT_ANGLES, *SEGMENT_ANGLES)

COLUMNS: Final = {
    **{"seconds": "float64", "frame": "int64", "person": "int64", "angle": "object", "kind": "object"},
    **{"degrees": "float64", "raw_degrees": "float64", "score": "float64"},
}
DECIMALS: Final = {"seconds": 6, "degrees": 4, "raw_degrees": 4, "score": 4}


def included_angle(first: Floats, joint: Floats, second: Floats) -> Floats:
    """Return the (...) angle at (..., 2) ``joint``, 0 to 180 degrees; NaN where a side has no length."""
    one, two = first - joint, second - joint
    cross = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
    dot = (one * two).sum(axis=-1)
    has_sides = one.any(axis=-1) & two.any(axis=-1)
    return np.where(has_sides, np.degrees(np.arctan2(np.abs(cross), dot)), np.nan)


def direction(start: Floats, end: Floats, *, reference: str) -> Floats:
    """Return the direction from (..., 2) ``start`` to ``end`` in degrees, in (−180, 180], counter-clockwise as seen.

    Pixels have y downwards; 0 is upwards for the ``reference`` "vertical" and to the right for "horizontal".
    """
    right, up = end[..., 0] - start[..., 0], start[..., 1] - end[..., 1]
    # Adding 0 turns -0 into 0, for which arctan2 gives 180 rather than -180.
    sine, cosine = (up + 0.0, right) if reference == "horizontal" else (0.0 - right, up)
    angle = np.degrees(np.arctan2(sine, cosine))
    return np.where((right != 0) | (up != 0), angle, np.nan)


def unwrap(degrees: Floats) -> Floats:
    """Return (T,) angles without jumps of a whole turn, counting from seen value to seen value; NaN stays."""
    unwrapped = degrees.copy()
    is_seen = np.isfinite(degrees)
    unwrapped[is_seen] = np.unwrap(degrees[is_seen], period=360)
    return unwrapped


def angle_over_time(track: Track, names: Sequence[str], definition: JointAngle | SegmentAngle) -> Floats | None:
    """Return one (T,) angle of a person by this module's conventions; None if the skeleton lacks its keypoints."""
    indices = _indices(names, definition)
    return None if indices is None else _measure(track, indices, definition)


def _measure(track: Track, indices: list[list[int]], definition: JointAngle | SegmentAngle) -> Floats:
    points = [track.keypoints[:, places].mean(axis=1) for places in indices]  # (T, 2) each; NaN where one is missing
    if isinstance(definition, JointAngle):
        return definition.sign * (included_angle(*points) - definition.neutral)
    return unwrap(direction(*points, reference=definition.reference))


def angle_table(
    recording: Recording, *, definitions: Sequence[JointAngle | SegmentAngle] = ALL_ANGLES
) -> "pandas.DataFrame":
    """Return the angles of all people, one value in each row.

    Args:
        recording: Filtered or not.
        definitions: Which angles; those whose keypoints the skeleton lacks are left out.

    Returns:
        Columns ``seconds``, ``frame``, ``person``, ``angle``, ``kind`` ("joint" or "segment"), ``degrees``,
        ``raw_degrees`` (from the recording before filters, NaN for a person who is not in it; the same as ``degrees``
        where there was no filter) and ``score`` (the lowest of the keypoints it is measured at, 0 for an angle that
        rests on a filled-in keypoint).
    """
    import pandas

    raw_tracks = {track.person: track for track in (recording.raw or recording).tracks}
    tables = []
    for track in recording.tracks:
        for definition in definitions:
            indices = _indices(recording.keypoint_names, definition)
            if indices is None:
                continue
            degrees, raw_track = _measure(track, indices, definition), raw_tracks.get(track.person)
            columns = {
                "seconds": recording.seconds,
                "frame": recording.frames,
                "person": track.person,
                "angle": definition.name,
                "kind": "joint" if isinstance(definition, JointAngle) else "segment",
                "degrees": degrees,
                "raw_degrees": np.nan if raw_track is None else _measure(raw_track, indices, definition),
                "score": track.scores[:, np.concatenate(indices)].min(axis=1),
            }
            tables.append(pandas.DataFrame(columns))
    if not tables:
        return pandas.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pandas.concat(tables, ignore_index=True)


def write_angles(table: "pandas.DataFrame", path: Path) -> None:
    """Write an angle table as CSV, missing values as empty fields; seconds to a microsecond, degrees to 0.0001.

    Raises:
        OSError: If the file cannot be written; what was there before stays.
    """
    with replacing(path) as partial:
        table.round(DECIMALS).to_csv(partial, index=False)


def landmark_indices(names: Sequence[str], landmark: Landmark) -> list[int] | None:
    """Return the keypoints whose midpoint a landmark is; None if the skeleton has none of its alternatives."""
    for alternative in landmark:
        if set(alternative) <= set(names):
            return [list(names).index(name) for name in alternative]
    return None


def _indices(names: Sequence[str], definition: JointAngle | SegmentAngle) -> list[list[int]] | None:
    """Return the keypoints of each landmark of an angle; None if the skeleton lacks one."""
    landmarks = definition[1:4] if isinstance(definition, JointAngle) else definition[1:3]
    found = [landmark_indices(names, landmark) for landmark in landmarks]
    indices = [places for places in found if places is not None]
    return indices if len(indices) == len(found) else None
