"""OpenPose's files read back by Pose2Sim's own readers."""

import json

import numpy as np
import pandas as pd
import pytest

from efficientpose.movement.files import write
from efficientpose.movement.files.skeletons import BODY_25, COCO_17, marker_names

READ = """
import re, sys
from pathlib import Path
from anytree import RenderTree
from Pose2Sim.common import sort_stringlist_by_last_number
from Pose2Sim.personAssociation import persons_combinations, read_json
from Pose2Sim.skeletons import BODY_25
from Pose2Sim.triangulation import extract_files_frame_f
nodes = [(node.name, node.id) for _, _, node in RenderTree(BODY_25)]
files = sort_stringlist_by_last_number([path.name for path in Path(sys.argv[1]).glob("*.json")])
answer = {"nodes": nodes, "numbers": [int(re.split(r"(\\d+)", name)[-2]) for name in files], "frames": []}
for name in files:
    path = str(Path(sys.argv[1]) / name)
    arrays = extract_files_frame_f([path], [number for _, number in nodes])
    frame = {"people": read_json(path), "arrays": [array.tolist() for array in arrays]}
    answer["frames"].append(frame | {"combinations": persons_combinations([path]).tolist()})
"""


@pytest.mark.slow
def test_pose2sim(recording, ask, tmp_path):
    folder = write(recording, tmp_path / "pose", "openpose")[0]
    assert folder == tmp_path / "pose" / "clip_json"  # Pose2Sim looks for folders with "json" in their names in pose/
    answer = ask(READ, folder)
    names = dict(enumerate(marker_names(BODY_25))) | {8: "CHip"}
    assert all(names[number] == name for name, number in answer["nodes"])
    assert len(answer["nodes"]) == 21
    assert answer["numbers"] == [0, 1, 2, 3, 4]
    assert [len(frame["people"]) for frame in answer["frames"]] == [2, 2, 1, 0, 2]
    assert [len(frame["combinations"]) for frame in answer["frames"]] == [2, 2, 1, 1, 2]
    own = {name: index for index, name in enumerate(marker_names(recording.keypoint_names))}
    own["CHip"] = own["Hip"]
    for row, frame in enumerate(recording.frames):
        seen = [track for track in recording.tracks if track.is_seen[row]]
        x, y, score = (np.array(array)[:, 0] for array in answer["frames"][frame]["arrays"])
        for column, (name, _) in enumerate(answer["nodes"]):
            for place, track in enumerate(seen):
                values = (
                    (0, 0, 0) if name not in own else (*track.keypoints[row, own[name]], track.scores[row, own[name]])
                )
                found = (x[place, column], y[place, column], score[place, column])
                assert found == pytest.approx(np.nan_to_num(values), abs=5.1e-5), (frame, name)


def test_one_file_by_hand(recording, tmp_path):
    _, *files, times = write(recording, tmp_path, "openpose")
    content = json.loads(files[1].read_text())
    assert files[1].name == "clip_000000000001_keypoints.json"
    assert content["version"] == 1.3
    assert [person["person_id"] for person in content["people"]] == [[1], [4]]
    keypoints = np.array(content["people"][1]["pose_keypoints_2d"]).reshape(25, 3)
    np.testing.assert_allclose(keypoints[1, :2], recording.tracks[1].keypoints[1, 7], atol=5.1e-5)  # Neck is the thorax
    np.testing.assert_allclose(keypoints[8, :2], recording.tracks[1].keypoints[1, 6], atol=5.1e-5)  # MidHip the pelvis
    assert keypoints[12].tolist() == [0, 0, 0]  # left hip, not found in this frame
    assert keypoints[0].tolist() == [0, 0, 0]  # nose
    assert times == tmp_path / "clip_json_timestamps.csv"
    np.testing.assert_allclose(pd.read_csv(times).seconds, recording.seconds, atol=5.1e-7)


def test_frames_of_an_earlier_longer_run_go(make_recording, tmp_path):
    folder = write(make_recording(frames=(0, 1, 2, 3, 4, 5)), tmp_path, "openpose")[0]
    (folder / "notes.json").write_text("{}")
    write(make_recording(), tmp_path, "openpose")
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"clip_{number:012d}_keypoints.json" for number in range(5)),
        "notes.json",
    ]


def test_a_name_with_dots(make_recording, tmp_path):
    paths = write(make_recording(source="clip.v1.mp4"), tmp_path, "openpose")
    assert (paths[0].name, paths[1].name) == ("clip.v1_json", "clip.v1_000000000000_keypoints.json")
    assert paths[-1].name == "clip.v1_json_timestamps.csv"


def test_the_middles_of_shoulders_and_hips_of_a_skeleton_without_them(make_recording, tmp_path):
    recording = make_recording(people=(4,), keypoint_names=COCO_17)
    _, *files, _ = write(recording, tmp_path, "openpose")
    (person,) = json.loads(files[0].read_text())["people"]
    keypoints = np.array(person["pose_keypoints_2d"]).reshape(25, 3)
    (track,) = recording.tracks
    for place, left, right in ((1, 5, 6), (8, 11, 12)):
        middle = (track.keypoints[0, left] + track.keypoints[0, right]) / 2
        np.testing.assert_allclose(keypoints[place, :2], middle, atol=5.1e-5)
        assert keypoints[place, 2] == pytest.approx(min(track.scores[0, left], track.scores[0, right]), abs=5.1e-5)
    np.testing.assert_allclose(keypoints[0, :2], track.keypoints[0, 0], atol=5.1e-5)  # nose


@pytest.mark.parametrize("format", ["openpose", "coco-17"])
def test_a_skeleton_without_any_of_their_keypoints(make_recording, tmp_path, format):
    recording = make_recording(keypoint_names=("mouth", "dorsal_fin", "belly", "tail"))
    with pytest.raises(ValueError, match="none of the keypoints mouth, dorsal_fin, belly, tail is one of nose, "):
        write(recording, tmp_path, format)
    assert list(tmp_path.iterdir()) == []
