"""DeepLabCut's tables read back by pandas and by movement."""

import numpy as np
import pandas as pd
import pytest

from efficientpose.movement.files import write
from efficientpose.movement.files.deeplabcut import MAX_TABLE_COLUMNS

pytest.importorskip("tables")

FORMATS = {"deeplabcut-csv": 5.1e-5, "deeplabcut-h5": 0}
"""What each may differ by."""

LOAD = """
import sys
from movement.io import load_dataset
answer = []
for path in sys.argv[1:]:
    poses = load_dataset(path, source_software="DeepLabCut", fps=30)
    names = {name.rstrip("s"): poses.coords[name].values.tolist() for name in poses.coords}
    answer.append({"position": poses.position.values.tolist(), "confidence": poses.confidence.values.tolist(),
                   "keypoints": names["keypoint"], "individuals": names["individual"]})
"""
"""Dimensions are in the plural in some of movement's versions, in the singular in others."""


def expected(recording):
    """(5, 2, K, P) x, y and (5, K, P) scores of frames 0 to 4, NaN for what is not there."""
    position = np.full((5, 2, 16, len(recording.tracks)), np.nan)
    confidence = np.full((5, 16, len(recording.tracks)), np.nan)
    for column, track in enumerate(recording.tracks):
        for row, frame in enumerate(recording.frames):
            if track.is_seen[row]:
                position[frame, ..., column] = track.keypoints[row].T
                confidence[frame, :, column] = track.scores[row]
    return position, confidence


@pytest.mark.slow
def test_movement(make_recording, ask, tmp_path):
    cases = [(make_recording(people=people), format) for people in [(1, 4), (4,)] for format in FORMATS]
    paths = [write(recording, tmp_path / str(len(recording.tracks)), format)[0] for recording, format in cases]
    for (recording, format), poses in zip(cases, ask(LOAD, *paths), strict=True):
        position, confidence = expected(recording)
        np.testing.assert_allclose(np.array(poses["position"]), position, rtol=0, atol=FORMATS[format])
        np.testing.assert_allclose(np.array(poses["confidence"]), confidence, rtol=0, atol=FORMATS[format])
        assert poses["keypoints"] == list(recording.keypoint_names)
        assert poses["individuals"] == (["person_1", "person_4"] if len(recording.tracks) == 2 else ["individual_0"])


def read_with_pandas(path, num_levels):
    if path.suffix == ".h5":
        return pd.read_hdf(path, key="df_with_missing")
    return pd.read_csv(path, header=list(range(num_levels)), index_col=0)


@pytest.mark.parametrize("format", FORMATS)
def test_pandas(recording, tmp_path, format):
    path, times = write(recording, tmp_path, format)
    table = read_with_pandas(path, 4).sort_index(axis=1)
    assert table.index.tolist() == [0, 1, 2, 3, 4]
    assert list(table.columns.names) == ["scorer", "individuals", "bodyparts", "coords"]
    elbow = table["efficientpose", "person_4", "left_elbow"]
    assert set(elbow.columns) == {"x", "y", "likelihood"}
    np.testing.assert_allclose(elbow.loc[4, ["x", "y"]], recording.tracks[1].keypoints[3, 14], atol=5.1e-5)
    assert elbow.loc[[2, 3]].isna().all(axis=None)
    assert times.name == f"{path.stem}_timestamps.csv"
    table = pd.read_csv(times)
    assert table.frame.tolist() == [0, 1, 2, 4]
    np.testing.assert_allclose(table.seconds, recording.seconds, atol=5.1e-7)


@pytest.mark.parametrize("format", FORMATS)
def test_the_single_animal_form_has_no_individuals(make_recording, tmp_path, format):
    table = read_with_pandas(write(make_recording(people=(4,)), tmp_path, format)[0], 3)
    assert list(table.columns.names) == ["scorer", "bodyparts", "coords"]


def test_more_people_than_a_pytables_table_can_name(make_recording, tmp_path):
    recording = make_recording(people=range(60))
    path, _ = write(recording, tmp_path, "deeplabcut-h5")
    table = pd.read_hdf(path, key="df_with_missing")
    assert len(table.columns) == 60 * 16 * 3 > MAX_TABLE_COLUMNS
    assert table.loc[0].iloc[-1] == recording.tracks[59].scores[0, 15]


def test_the_widest_table_fits(make_recording, tmp_path):
    names = tuple(f"a_rather_long_name_of_a_keypoint_{number}" for number in range(MAX_TABLE_COLUMNS // 3))
    path, _ = write(make_recording(people=(0,), keypoint_names=names), tmp_path, "deeplabcut-h5")
    assert len(pd.read_hdf(path, key="df_with_missing").columns) == MAX_TABLE_COLUMNS


@pytest.mark.parametrize("people", [(4,), (1, 4)])
def test_nobody_in_the_first_frames(make_recording, tmp_path, people):
    """pandas takes a first line of empty cells for the name of the index, and its frame is gone."""
    recording = make_recording(people=people)
    for track in recording.tracks:
        track.keypoints[:2], track.scores[:2] = np.nan, 0
    path, _ = write(recording, tmp_path, "deeplabcut-csv")
    table = read_with_pandas(path, 3 if len(people) == 1 else 4)
    assert table.index.tolist() == [0, 1, 2, 3, 4]
    assert table.loc[:1].isna().all(axis=None)
    assert table.loc[4].notna().all()
