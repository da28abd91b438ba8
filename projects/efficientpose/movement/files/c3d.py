"""C3D, motion capture's binary file, with ezc3d: markers in millimetres, x right, y up, z = 0 (see ``trc``).

Without a scale a millimetre is a pixel. Markers are named as in Pose2Sim's models, with ``person_1:`` before them where
there are several people; SUBJECTS:NAMES has the people; names beyond the 255th go to POINT:LABELS2. C3D is evenly
sampled: damaged frames are put back as missing markers (NaN), and the real times stand with the scores in
``<name>.scores.csv``. Values are 32-bit floats, about seven digits.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.movement.files.frames import require_people, with_every_frame
from efficientpose.movement.files.skeletons import marker_names
from efficientpose.movement.files.text import write_scores
from efficientpose.movement.files.trc import marker_positions, require_rate
from efficientpose.movement.recording import Recording

if TYPE_CHECKING:
    from ezc3d import c3d

MAX_FRAMES: Final = 65535  # C3D counts frames in sixteen bits
MILLIMETRES_PER_METRE: Final = 1000


def write_c3d(recording: Recording, target: Path, *, metres_per_pixel: float | None = None) -> tuple[Path, ...]:
    """Write the file and its scores.

    Raises:
        ValueError: If there is nobody, fewer than two frames, more frames than a C3D file holds, or the video's
            height is unknown.
    """
    require_people(recording, "c3d")
    rate = require_rate(recording, "C3D")
    even = with_every_frame(recording)
    if len(even.frames) > MAX_FRAMES:
        raise ValueError(
            f"{target}: a C3D file holds {MAX_FRAMES} frames, not {len(even.frames)}; write parts, or choose trc"
        )
    labels = list(marker_names(recording.keypoint_names))
    people = [f"person_{track.person}" for track in recording.tracks]
    if len(people) > 1:
        labels = [f"{person}:{label}" for person in people for label in labels]
    positions = [marker_positions(even, track.keypoints, metres_per_pixel=metres_per_pixel) for track in even.tracks]
    points = np.concatenate(positions, axis=1).transpose(2, 1, 0) * MILLIMETRES_PER_METRE  # (3, P * K, T)

    from ezc3d import c3d

    content = c3d()
    content["parameters"]["POINT"]["RATE"]["value"] = [rate]
    content["parameters"]["POINT"]["LABELS"]["value"] = labels
    content["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    content.add_parameter("SUBJECTS", "NAMES", people)
    content.add_parameter("SUBJECTS", "USED", len(people))
    content["data"]["points"] = np.concatenate([points, np.ones_like(points[:1])])
    _write(content, target)
    scores = np.concatenate([track.scores for track in recording.tracks], axis=1)
    return (target, write_scores(recording, target, labels, scores))


def _write(content: "c3d", target: Path) -> None:
    """Write the file and read it back, because ezc3d says nothing where the disk is full."""
    from ezc3d import c3d

    points = content["data"]["points"][:3].astype(np.float32)
    with replacing(target) as partial:
        named = partial.with_name(f"{partial.name}.c3d")  # ezc3d adds the suffix where it is missing
        try:
            content.write(str(named))
            try:
                is_whole = np.array_equal(c3d(str(named))["data"]["points"][:3], points, equal_nan=True)
            except (OSError, RuntimeError, ValueError, IndexError):
                is_whole = False
            if not is_whole:
                raise OSError(f"{target}: the file did not get whole to the disk, which may be full")
            named.replace(partial)
        finally:
            named.unlink(missing_ok=True)
