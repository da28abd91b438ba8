"""OpenPose's JSON, one file for each frame, in the order of BODY_25: Pose2Sim reads it with ``pose_model = 'BODY_25'``.

The files are ``<name>_json/<name>_000000000012_keypoints.json`` with the video's frame number. Of the 16 MPII
keypoints 14 have a place: the thorax is Neck, the pelvis MidHip, and the twelve of arms and legs are themselves.
Upper neck and head top have none; an MPII network does not find nose, eyes, ears and feet. Of a skeleton without
thorax and pelvis, such as COCO's, Neck and MidHip are the middles of shoulders and hips, as in OpenPose itself, with
the lower of the two scores. What is missing is 0, 0 with confidence 0. The person's number is ``person_id``; a person
who is not seen is left out, and a damaged frame has nobody. Beside the folder stands ``<name>_json_timestamps.csv``.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from efficientpose.core.files import make_writable_folder
from efficientpose.movement.files.frames import PersonInFrame, people_in, with_every_frame
from efficientpose.movement.files.skeletons import BODY_25, place, place_some
from efficientpose.movement.files.text import write_json, write_timestamps
from efficientpose.movement.recording import Recording

VERSION: Final = 1.3
_EMPTY: Final = (
    *("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d"),
    *("pose_keypoints_3d", "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d"),
)


def write_openpose(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write the folder and return it, its files and the timestamps.

    Frames of an earlier, longer run under the same name are removed from it at the end. Where writing fails, the files
    before it stay.

    Raises:
        ValueError: If the recording has none of BODY_25's keypoints.
    """
    even = with_every_frame(_with_middles(recording))
    places = place_some(even.keypoint_names, BODY_25)
    make_writable_folder(target)
    name = target.name.removesuffix("_json")
    files = []
    for row, number in enumerate(even.frames.tolist()):
        files.append(target / f"{name}_{number:012d}_keypoints.json")
        people = [_person(person, places) for person in people_in(even, row)]
        write_json(files[-1], {"version": VERSION, "people": people})
    is_frame = re.compile(re.escape(name) + r"_\d{12}_keypoints\.json")
    for path in set(target.iterdir()) - set(files):
        if is_frame.fullmatch(path.name):
            path.unlink()
    return (target, *files, write_timestamps(recording, target))


def _with_middles(recording: Recording) -> Recording:
    """Add the middles of shoulders and hips, where the skeleton has those and no keypoint that stands there."""
    for name, joint in (("neck", "shoulder"), ("hip", "hip")):
        places = place(recording.keypoint_names, (f"left_{joint}", f"right_{joint}"))
        sides = [index for index in places if index is not None]
        if len(sides) < 2 or place(recording.keypoint_names, (name,)) != (None,):
            continue
        tracks = []
        for track in recording.tracks:
            keypoints = np.append(track.keypoints, track.keypoints[:, sides].mean(axis=1, keepdims=True), axis=1)
            scores = np.append(track.scores, track.scores[:, sides].min(axis=1, keepdims=True), axis=1)
            tracks.append(replace(track, keypoints=keypoints, scores=scores))
        names = (*recording.keypoint_names, name)
        recording = replace(recording, tracks=tuple(tracks), keypoint_names=names, raw=None)
    return recording


def _person(person: PersonInFrame, places: tuple[int | None, ...]) -> dict[str, Any]:
    flat = [value for keypoint in person.placed(places) for value in keypoint]
    return {"person_id": [person.person], "pose_keypoints_2d": flat} | {key: [] for key in _EMPTY}
