"""MMPose's prediction JSON: what ``MMPoseInferencer`` writes of a video with ``pred_out_dir``.

A list of frames, each with ``frame_id`` and ``instances``; an instance has keypoints [[x, y]], keypoint_scores, bbox
[[x1, y1, x2, y2]] and bbox_score (mean score of the found keypoints), and beyond MMPose's own the person as
``track_id``. ``frame_id`` is the frame's number in the video and a damaged frame has no instances. A missing keypoint
is 0, 0 with score 0. There are no times: ``<name>_timestamps.csv`` stands beside.
"""

from pathlib import Path
from typing import Any

from efficientpose.movement.files.frames import PersonInFrame, people_in, with_every_frame
from efficientpose.movement.files.text import write_json, write_timestamps
from efficientpose.movement.recording import Recording


def write_mmpose(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the frames, with four decimals."""
    even = with_every_frame(recording)
    frames = [
        {"frame_id": number, "instances": [_instance(person) for person in people_in(even, row)]}
        for row, number in enumerate(even.frames.tolist())
    ]
    write_json(target, frames)
    return (target, write_timestamps(recording, target))


def _instance(person: PersonInFrame) -> dict[str, Any]:
    return {
        "keypoints": person.keypoints[:, :2].tolist(),
        "keypoint_scores": person.keypoints[:, 2].tolist(),
        "bbox": [person.box.tolist()],  # a list within a list, as MMPose writes it
        "bbox_score": person.score,
        "track_id": person.person,
    }
