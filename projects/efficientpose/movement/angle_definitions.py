"""Which angles there are, by the names of their keypoints: data for ``angles``.

A landmark is found from the first of its alternatives whose keypoints the skeleton has; an alternative of several
keypoints is their midpoint. So MPII's 16, COCO's 17 and Halpe's 26 keypoints each give the angles that their names
allow: MPII has no toes and therefore no ankle, COCO no head top and therefore no neck.
"""

from typing import Final, Literal, NamedTuple

from efficientpose.skeleton import mirror_name

Landmark = tuple[tuple[str, ...], ...]

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
    """The direction from ``start`` to ``end`` against the picture's ``reference``.

    "vertical" is 0 where the segment points straight up, "horizontal" where it points to the picture's right edge; both
    grow counter-clockwise as one sees the picture.
    """

    name: str
    start: Landmark
    end: Landmark
    reference: Literal["vertical", "horizontal"]


def keypoint(name: str) -> Landmark:
    """Return the landmark that is one keypoint."""
    return ((name,),)


def _mirrored(landmark: Landmark) -> Landmark:
    return tuple(tuple(mirror_name(name) for name in names) for names in landmark)


def _both_sides(left: JointAngle) -> tuple[JointAngle, JointAngle]:
    right = left._replace(
        name=mirror_name(left.name),
        first=_mirrored(left.first),
        joint=_mirrored(left.joint),
        second=_mirrored(left.second),
    )
    return left, right


def _both_segments(left: SegmentAngle) -> tuple[SegmentAngle, SegmentAngle]:
    return left, SegmentAngle(mirror_name(left.name), _mirrored(left.start), _mirrored(left.end), left.reference)


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
    *_both_segments(SegmentAngle("left_thigh", _KNEE, _HIP, "vertical")),
    *_both_segments(SegmentAngle("left_shank", _ANKLE, _KNEE, "vertical")),
    *_both_segments(SegmentAngle("left_upper_arm", _ELBOW, _SHOULDER, "vertical")),
    *_both_segments(SegmentAngle("left_forearm", _WRIST, _ELBOW, "vertical")),
    *_both_segments(SegmentAngle("left_foot", keypoint("left_heel"), _TOE, "horizontal")),
)
