"""Recordings of other skeletons than MPII's: tracked, with the angles their joints allow, in every format they fit."""

import json

import numpy as np
import pandas
import pytest

from efficientpose.cli import main
from efficientpose.movement.files import FORMATS
from efficientpose.movement.files.skeletons import COCO_17

HALPE_26 = (
    *COCO_17,
    *("head", "neck", "hip"),
    *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel", "right_heel"),
)
FISH = ("mouth", "belly", "tail")
HEIGHTS = {
    **dict(head=0, nose=20, eye=15, ear=18, neck=60, shoulder=60, elbow=100, wrist=140, hip=150),
    **dict(knee=230, ankle=310, heel=320, big_toe=320, small_toe=320, mouth=0, belly=50, tail=90),
}
NUM_FRAMES = 30
LIBRARIES = {"deeplabcut-h5": "tables", "c3d": "ezc3d", "nwb": "ndx_pose"}


def place(name, frame):
    """Somebody who faces the picture's right, standing; the right shank is turned 30 degrees back at the knee."""
    joint = name.removeprefix("left_").removeprefix("right_")
    x, y = 200.0 + 0.5 * frame, 100.0 + HEIGHTS[joint]
    if joint in ("big_toe", "small_toe", "belly"):
        x += 30
    if name == "right_ankle":
        x, y = x - 80 * np.sin(np.radians(30)), 330 + 80 * np.cos(np.radians(30))
    return x, y


@pytest.fixture
def write_poses(tmp_path):
    """What predict writes of two people, 250 pixels apart, who change places in the list in every frame."""

    def write(names, limbs):
        lines = []
        for frame in range(NUM_FRAMES):
            figure = np.array([(*place(name, frame), 0.9) for name in names])
            people = []
            for shift in (0, 250):
                points = figure + np.array((shift, 0, 0))
                box = [*points[:, :2].min(axis=0).tolist(), *points[:, :2].max(axis=0).tolist()]
                people.append({"bbox": box, "keypoints": points.round(4).tolist()})
            line = {"frame": frame, "seconds": frame / 25, "instances": people[:: 1 if frame % 2 else -1]}
            lines.append(json.dumps(line | {"keypoint_names": names, "skeleton": limbs}) + "\n")
        path = tmp_path / "clip_pose.jsonl"
        path.write_text("".join(lines))
        return path

    return write


def test_coco_s_keypoints_in_every_format(write_poses, tmp_path, capsys):
    for library in LIBRARIES.values():
        pytest.importorskip(library)
    out = tmp_path / "out"
    path = write_poses(COCO_17, [[12, 14], [14, 16], [11, 13], [13, 15]])
    arguments = ["--formats", "all", "--image-size", "640,480", "--smoothing", "none"]
    assert main(["measure", str(path), "--out", str(out), *arguments]) == 0
    endings = {chosen.ending.replace(".trc", "_person01.trc") for chosen in FORMATS.values()}
    for ending in {ending.replace(".nwb", "_person01.nwb") for ending in endings}:
        assert (out / f"clip{ending}").exists(), ending
    printed = capsys.readouterr().out
    assert "no left_ankle_dorsiflexion, right_ankle_dorsiflexion, neck_flexion, head, left_foot, right_foot" in printed
    assert "person 1: in 30 of 30 frames" in printed
    angles = pandas.read_csv(out / "clip_angles.csv").groupby(["person", "angle"]).degrees
    assert angles.first()[0, "trunk"] == angles.first()[1, "trunk"] == 0  # from the middles of hips and shoulders
    np.testing.assert_allclose(angles.mean().xs("right_knee_flexion", level="angle"), 30, atol=1e-3)
    np.testing.assert_allclose(angles.mean().xs("left_knee_flexion", level="angle"), 0, atol=1e-3)
    np.testing.assert_allclose(angles.mean().xs("right_shank", level="angle"), -30, atol=1e-3)
    x = pandas.read_csv(out / "clip_tidy.csv").query("keypoint == 'nose'").groupby("person").x
    assert (x.max() - x.min()).tolist() == [14.5, 14.5]  # nobody jumps to the other's place


def test_halpe_s_feet(write_poses, tmp_path, capsys):
    out = tmp_path / "out"
    path = write_poses(HALPE_26, [[12, 14], [14, 16]])
    assert main(["measure", str(path), "--out", str(out), "--formats", "coco-17,openpose", "--smoothing", "none"]) == 0
    assert "these keypoints do not give them" not in capsys.readouterr().out
    angles = pandas.read_csv(out / "clip_angles.csv").query("person == 0").groupby("angle").degrees.mean()
    assert angles["left_foot"] == pytest.approx(0)  # flat, toes to the picture's right
    # The toe lies 30 to the right of the knee and 10 below the ankle: the angle at the ankle is 90 + atan(10 / 30).
    assert angles["left_ankle_dorsiflexion"] == pytest.approx(-np.degrees(np.arctan(10 / 30)), abs=1e-3)
    frame = json.loads((out / "clip_json" / "clip_000000000000_keypoints.json").read_text())
    keypoints = np.array(frame["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    assert (keypoints[:, 2] > 0).all()  # BODY_25 has nothing that Halpe lacks


def test_a_fish(write_poses, tmp_path, capsys):
    """No joint of it has a name that angles know, and two formats have no place for it."""
    out = tmp_path / "out"
    path = write_poses(FISH, [])
    assert main(["measure", str(path), "--out", str(out), "--formats", "csv,coco-17,openpose,mmpose,coco"]) == 1
    printed = capsys.readouterr()
    for format in ("coco-17", "openpose"):
        assert f"{format} is not written: none of the keypoints mouth, belly, tail is one of nose" in printed.err
    assert "trunk" in printed.out
    written = {"clip_tidy.csv", "clip_mmpose.json", "clip_mmpose_timestamps.csv", "clip_coco.json"}
    assert {path.name for path in out.iterdir()} == {*written, "clip_coco_images.json"}
    assert main(["measure", str(path), "--out", str(out)]) == 0
