"""The tidy CSV read back by pandas and by ourselves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from efficientpose.movement.files import read, write
from efficientpose.movement.recording import Track

COLUMNS = ["frame", "seconds", "person", "keypoint", "x", "y", "score"]


def check_same(found, expected):
    np.testing.assert_array_equal(found.frames, expected.frames)
    np.testing.assert_allclose(found.seconds, expected.seconds, atol=5.1e-7)
    assert [track.person for track in found.tracks] == [track.person for track in expected.tracks]
    for one, other in zip(found.tracks, expected.tracks, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=5.1e-5)
        np.testing.assert_allclose(one.scores, other.scores, atol=5.1e-5)
        np.testing.assert_array_equal(one.is_seen, other.is_seen)


def test_pandas(recording, tmp_path):
    (path,) = write(recording, tmp_path, "csv")
    table = pd.read_csv(path)
    assert path.name == "clip_tidy.csv"
    assert table.columns.tolist() == COLUMNS
    assert len(table) == 4 * 2 * 16
    wrists = table[(table.person == 4) & (table.keypoint == "left_wrist")]
    np.testing.assert_allclose(wrists[["x", "y"]], recording.tracks[1].keypoints[:, 15], atol=5.1e-5)
    np.testing.assert_allclose(wrists.seconds, recording.seconds, atol=5.1e-7)


def test_back_into_a_recording(recording, tmp_path):
    found = read(write(recording, tmp_path / "other.csv", "csv")[0], image_size=(640, 480))
    check_same(found, recording)
    assert (found.source, found.image_size, found.raw) == ("other", (640, 480), None)
    assert (found.keypoint_names, found.limbs) == (recording.keypoint_names, recording.limbs)


def test_raw_values_stand_beside_filtered_ones(recording, tmp_path):
    smooth = Track(
        person=4, keypoints=np.full((4, 16, 2), 7.0), scores=np.ones((4, 16)), boxes=recording.tracks[1].boxes
    )
    filtered = recording.with_tracks([smooth])
    (path,) = write(filtered, tmp_path, "csv")
    table = pd.read_csv(path)
    assert table.columns.tolist() == [*COLUMNS, "x_raw", "y_raw", "score_raw"]
    assert (table.x == 7).all()
    np.testing.assert_allclose(table.x_raw, recording.tracks[1].keypoints[..., 0].ravel(), atol=5.1e-5)
    found = read(path)
    check_same(found, filtered)
    check_same(found.raw, recording.with_tracks(recording.tracks[1:]))


def test_raw_values_are_found_by_the_frame_s_number(make_recording, recording, tmp_path):
    raw = make_recording(frames=(0, 1, 2, 3, 4))
    table = pd.read_csv(write(replace(recording, raw=raw), tmp_path, "csv")[0])
    last = table[(table.frame == 4) & (table.person == 1)]
    np.testing.assert_allclose(last[["x_raw", "y_raw"]], raw.tracks[0].keypoints[4], atol=5.1e-5)


def test_somebody_who_is_not_in_the_raw_recording_has_empty_raw_cells(recording, tmp_path):
    new = Track(person=9, keypoints=np.zeros((4, 16, 2)), scores=np.ones((4, 16)), boxes=recording.tracks[0].boxes)
    table = pd.read_csv(write(recording.with_tracks([new]), tmp_path, "csv")[0])
    assert table[["x_raw", "y_raw", "score_raw"]].isna().all(axis=None)


def test_own_keypoints(make_recording, tmp_path):
    found = read(write(make_recording(keypoint_names=("snout", "tail", "ear", "paw")), tmp_path, "csv")[0])
    assert found.keypoint_names == ("snout", "tail", "ear", "paw")
    assert found.limbs == ()


def test_nobody(make_recording, tmp_path):
    (path,) = write(make_recording(people=()), tmp_path, "csv")
    assert path.read_text() == ",".join(COLUMNS) + "\n"
    with pytest.raises(ValueError, match=r"clip_tidy.csv: nobody is in it"):
        read(path)
