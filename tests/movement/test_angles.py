"""Angles against hand computation."""

import numpy as np
import pandas as pd
import pytest

from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES
from efficientpose.movement.angles import (
    ALL_ANGLES,
    JOINT_ANGLES,
    SEGMENT_ANGLES,
    SegmentAngle,
    angle_over_time,
    angle_table,
    direction,
    included_angle,
    keypoint,
    unwrap,
    write_angles,
)
from efficientpose.movement.filtering import filter_recording

NAN = np.nan
BY_NAME = {definition.name: definition for definition in ALL_ANGLES}
PAIRED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
COCO = ("nose", "left_eye", "right_eye", *(f"{side}_{joint}" for joint in PAIRED for side in ("left", "right")))
FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))
HALPE = (*COCO, "head", "neck", "hip", *FEET)


def angle(track, name, names=KEYPOINT_NAMES):
    return angle_over_time(track, names, BY_NAME[name])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1, 0), (1, 0), 0),
        ((1, 0), (1, 1), 45),
        ((1, 0), (1, -1), 45),
        ((1, 0), (0, 5), 90),
        ((2, 0), (-1, 3**0.5), 120),
        ((1, 0), (-7, 0), 180),
        ((0, 0), (1, 0), NAN),
        ((1, 0), (NAN, 0), NAN),
    ],
)
def test_included_angles(first, second, expected):
    joint = np.array([10.0, 20.0])
    assert included_angle(joint + first, joint, joint + second) == pytest.approx(expected, nan_ok=True)
    assert included_angle(joint + second, joint, joint + first) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("step", "horizontal", "vertical"),
    [
        ((1, 0), 0, -90),  # to the right
        ((1, -1), 45, -45),  # up to the right: y points down
        ((0, -1), 90, 0),
        ((-1, -1), 135, 45),
        ((-1, 0), 180, 90),
        ((-1, 1), -135, 135),
        ((0, 1), -90, 180),
        ((1, 1), -45, -135),
        ((0, 0), NAN, NAN),
        ((NAN, 1), NAN, NAN),
    ],
)
def test_directions(step, horizontal, vertical):
    start = np.array([30.0, 40.0])
    for reference, expected in (("horizontal", horizontal), ("vertical", vertical)):
        result = float(direction(start, start + step, reference=reference))
        assert result == pytest.approx(expected, nan_ok=True)
        assert not result <= -180


def test_unwrapping_by_hand():
    wrapped = np.array([NAN, 170, -170, NAN, NAN, -100, 10, 170, -175, 175])
    np.testing.assert_allclose(unwrap(wrapped), [NAN, 170, 190, NAN, NAN, 260, 370, 530, 545, 535])
    assert unwrap(np.zeros(0)).shape == (0,)
    assert np.isnan(unwrap(np.array([NAN, NAN]))).all()


def test_standing_upright_is_zero_everywhere(standing, make_recording):
    """But for the hips, whose shoulders lie 5 pixels further out over 130: atan(5 / 130) = 2.203 degrees."""
    table = angle_table(make_recording(standing(2)))
    degrees = table[table["frame"] == 1].set_index("angle")["degrees"]
    tilt = np.degrees(np.arctan2(5, 130))
    tilted = {f"{side}_{name}" for side in ("left", "right") for name in ("hip_flexion", "shoulder_elevation")}
    assert set(degrees.index) == set(BY_NAME) - {
        f"{s}_{n}" for s in ("left", "right") for n in ("ankle_dorsiflexion", "foot")
    }
    for name, value in degrees.items():
        assert value == pytest.approx(tilt if name in tilted else 0, abs=1e-9), name


@pytest.mark.parametrize(
    ("places", "name", "expected"),
    [
        ({"left_ankle": (215, 400)}, "left_knee_flexion", 90),
        ({"left_ankle": (15, 400)}, "left_knee_flexion", 90),  # no sign
        ({"left_ankle": (115, 300)}, "left_knee_flexion", 180),
        ({"right_wrist": (80 + 50, 230 - 50)}, "right_elbow_flexion", 135),
        ({"right_shoulder": (85, 170), "right_knee": (185, 300)}, "right_hip_flexion", 90),
        ({"left_hip": (120, 300), "left_elbow": (180, 170)}, "left_shoulder_elevation", 90),
        ({"left_hip": (120, 300), "left_elbow": (120, 110)}, "left_shoulder_elevation", 180),
        ({"head_top": (170, 100)}, "neck_flexion", 45),
        ({"thorax": (100 - 130, 170)}, "trunk", 45),  # leans to the image's left
        ({"thorax": (230, 170)}, "trunk", -45),
        ({"left_knee": (115 + 100, 300)}, "left_thigh", 90),  # the hip lies to the left of the knee
        ({"right_knee": (85, 200)}, "right_thigh", 180),
        ({"left_wrist": (170, 230)}, "left_forearm", 90),
        ({"left_shoulder": (120, 130)}, "shoulder_line", 45),  # the left side rises
        ({"left_hip": (55, 300)}, "hip_line", 180),  # seen from behind
    ],
)
def test_poses_by_hand(standing, make_track, places, name, expected):
    assert angle(make_track(standing(1, **places)), name) == pytest.approx([expected])


def test_feet_by_hand(make_track):
    names = ["left_knee", "left_ankle", "left_heel", "left_big_toe"]
    flat = make_track([[(0, 0), (0, 100), (0, 100), (30, 100)], [(0, 0), (0, 100), (0, 100), (30, 70)]])
    np.testing.assert_allclose(angle(flat, "left_ankle_dorsiflexion", names), [0, 45])
    np.testing.assert_allclose(angle(flat, "left_foot", names), [0, 45])
    pointed = make_track([[(0, 0), (0, 100), (0, 100), (0, 130)]])
    np.testing.assert_allclose(angle(pointed, "left_ankle_dorsiflexion", names), [-90])


def test_a_somersault_counts_on(standing, make_track):
    """Three turns to the left and half a turn back, with frames missing on the way."""
    truth = np.r_[np.linspace(0, 1080, 61), np.linspace(1062, 900, 10)]
    turn = np.radians(truth)
    keypoints = standing(71)
    thorax = list(KEYPOINT_NAMES).index("thorax")
    keypoints[:, thorax] = np.stack([100 - 130 * np.sin(turn), 300 - 130 * np.cos(turn)], axis=1)
    keypoints[[9, 10, 11, 40], thorax] = NAN
    degrees = angle(make_track(keypoints), "trunk")
    is_seen = ~np.isin(np.arange(71), [9, 10, 11, 40])
    np.testing.assert_allclose(degrees[is_seen], truth[is_seen], atol=1e-9)
    assert np.isnan(degrees[~is_seen]).all()


def test_a_missing_keypoint_makes_only_its_angles_missing(standing, make_recording):
    keypoints = standing(3)
    keypoints[1, list(KEYPOINT_NAMES).index("left_knee")] = NAN
    table = angle_table(make_recording(keypoints))
    missing = table[table["degrees"].isna()]
    assert set(missing["frame"]) == {1}
    assert set(missing["angle"]) == {"left_knee_flexion", "left_hip_flexion", "left_thigh", "left_shank"}
    assert (missing["score"] == 0).all()


def test_mirrored_people_have_mirrored_angles(standing, make_recording):
    keypoints = standing(1) + np.random.default_rng(0).normal(0, 40, (1, 16, 2))
    mirrored = keypoints[:, list(FLIP_INDICES)] * [-1, 1] + [640, 0]
    here, there = (
        angle_table(make_recording(people)).set_index("angle")["degrees"] for people in (keypoints, mirrored)
    )
    for name in here.index:
        partner = name.replace("left_", "L_").replace("right_", "left_").replace("L_", "right_")
        sign = 1 if isinstance(BY_NAME[name], type(JOINT_ANGLES[0])) else -1
        assert there[partner] == pytest.approx(sign * here[name]), name


def test_other_skeletons_get_what_their_names_allow(make_recording):
    random = np.random.default_rng(0)
    coco = set(angle_table(make_recording(random.normal(size=(2, len(COCO), 2)), names=COCO))["angle"])
    halpe = set(angle_table(make_recording(random.normal(size=(2, len(HALPE), 2)), names=HALPE))["angle"])
    feet = {f"{side}_{name}" for side in ("left", "right") for name in ("ankle_dorsiflexion", "foot")}
    assert halpe == set(BY_NAME)
    assert coco == halpe - feet - {"neck_flexion", "head"}
    assert angle_table(make_recording(random.normal(size=(2, 1, 2)), names=["nose"])).empty


def test_midpoints_stand_in_where_there_is_no_pelvis(make_track):
    names = ["left_hip", "right_hip", "left_shoulder", "right_shoulder"]
    track = make_track([[(10, 100), (30, 100), (-40, 30), (-20, 50)]])  # from (20, 100) to (-30, 40)
    assert angle(track, "trunk", names) == pytest.approx(np.degrees(np.arctan2(50, 60)))
    assert angle(track, "trunk", names[:3]) is None


def test_table_is_tidy(standing, make_recording):
    recording = make_recording(standing(3), standing(3), seconds=[0, 0.5, 1.25])
    recording.tracks[1].scores[2, list(KEYPOINT_NAMES).index("pelvis")] = 0.25
    table = angle_table(recording)
    assert list(table.columns) == ["seconds", "frame", "person", "angle", "kind", "degrees", "raw_degrees", "score"]
    assert not table.duplicated(["frame", "person", "angle"]).any()
    assert len(table) == 3 * 2 * 21
    row = table.query("person == 1 and frame == 2 and angle == 'trunk'").iloc[0]
    assert (row["seconds"], row["kind"], row["score"]) == (1.25, "segment", 0.25)
    assert set(table.query("kind == 'joint'")["angle"]) <= {definition.name for definition in JOINT_ANGLES}


def test_raw_angles_stand_beside_filtered_ones(standing, make_recording):
    raw = make_recording(standing(40) + np.random.default_rng(1).normal(0, 3, (40, 16, 2)))
    filtered = filter_recording(raw).recording
    table, of_raw = angle_table(filtered), angle_table(raw)
    pd.testing.assert_series_equal(table["raw_degrees"], of_raw["degrees"], check_names=False)
    pd.testing.assert_series_equal(of_raw["raw_degrees"], of_raw["degrees"], check_names=False)
    assert table["degrees"].std() < 0.8 * table["raw_degrees"].std()
    other = filtered.with_tracks([type(filtered.tracks[0])(**(vars(filtered.tracks[0]) | {"person": 7}))])
    assert angle_table(other)["raw_degrees"].isna().all()


def test_own_angles(standing, make_recording):
    own = SegmentAngle("arms", keypoint("right_wrist"), keypoint("left_wrist"), "horizontal")
    table = angle_table(make_recording(standing(1, left_wrist=(120, 240))), definitions=[own])
    assert table["angle"].tolist() == ["arms"]
    assert table["degrees"].tolist() == pytest.approx([45])


def test_csv_reads_back(standing, make_recording, tmp_path):
    keypoints = standing(3) + np.random.default_rng(2).normal(0, 5, (3, 16, 2))
    keypoints[1, 0] = NAN
    table = angle_table(make_recording(keypoints, seconds=[0, 1 / 3, 3661.000001]))
    write_angles(table, tmp_path / "angles.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "angles.csv"), table, atol=6e-5, rtol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["angles.csv"]


def test_empty_and_missing(standing, make_recording, tmp_path):
    columns = angle_table(make_recording(standing(1))).columns
    for recording in (make_recording(), make_recording(num_frames=3), make_recording(np.zeros((0, 16, 2)))):
        table = angle_table(recording)
        assert table.empty
        pd.testing.assert_index_equal(table.columns, columns)
        write_angles(table, tmp_path / "empty.csv")
        assert pd.read_csv(tmp_path / "empty.csv").columns.tolist() == columns.tolist()
    table = angle_table(make_recording(np.full((2, 16, 2), NAN)))
    assert len(table) == 2 * 21
    assert table["degrees"].isna().all()


def test_names_are_unique():
    assert len(BY_NAME) == len(JOINT_ANGLES) + len(SEGMENT_ANGLES)
