"""TRC files: metres by hand, and read back by OpenSim, Pose2Sim and Sports2D."""

import numpy as np
import pandas as pd
import pytest

from efficientpose.movement.files import write
from efficientpose.movement.files.trc import marker_positions, require_rate

POSE2SIM = """
import sys
from Pose2Sim.common import extract_trc_data, read_trc
answer = []
for path in sys.argv[1:]:
    table, frames, times, markers, header = read_trc(path)
    names, data = extract_trc_data(path)
    answer.append({"table": table.values.tolist(), "frames": frames.tolist(), "times": times.tolist(),
                   "markers": markers, "names": names, "data": data.tolist()})
"""
SPORTS2D = """
import sys
from Pose2Sim.common import read_trc
from Sports2D.process import load_pose_file
answer = []
for path in sys.argv[1:]:
    table, frames, times, markers, header = read_trc(path)
    keypoints, scores = load_pose_file(table)
    answer.append({"keypoints": keypoints.tolist(), "times": times.tolist(), "markers": markers})
"""


@pytest.mark.slow
def test_pose2sim_reads_metres(recording, ask, tmp_path):
    paths = write(recording, tmp_path, "trc", metres_per_pixel=0.0025)
    assert [path.name for path in paths] == [
        *("clip_person01.trc", "clip_person01.scores.csv", "clip_person04.trc", "clip_person04.scores.csv"),
    ]
    for track, found in zip(recording.tracks, ask(POSE2SIM, *paths[::2]), strict=True):
        points = np.array(found["table"]).reshape(4, 16, 3)
        np.testing.assert_allclose(points[..., 0], track.keypoints[..., 0] * 0.0025, atol=5.1e-7)
        np.testing.assert_allclose(points[..., 1], (479 - track.keypoints[..., 1]) * 0.0025, atol=5.1e-7)
        np.testing.assert_array_equal(points[..., 2], np.where(np.isnan(track.keypoints[..., 0]), np.nan, 0))
        np.testing.assert_allclose(found["times"], recording.seconds, atol=5.1e-7)
        np.testing.assert_array_equal(np.array(found["data"])[:, 1:], np.array(found["table"]))
        assert found["frames"] == [0, 1, 2, 4]
        assert found["markers"] == found["names"]
        assert found["markers"][5:10] == ["LAnkle", "Hip", "Neck", "UpperNeck", "Head"]


def test_the_header_is_opensim_s(recording, tmp_path):
    lines = write(recording, tmp_path, "trc")[0].read_text().splitlines()
    names, values = lines[1].split("\t"), lines[2].split("\t")
    header = dict(zip(names, values, strict=True))
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\tclip_person01.trc"
    assert float(header["DataRate"]) == pytest.approx(recording.frame_rate, abs=1e-6)
    assert {key: header[key] for key in ("NumFrames", "NumMarkers", "Units", "OrigDataStartFrame")} == {
        **{"NumFrames": "4", "NumMarkers": "16", "Units": "m", "OrigDataStartFrame": "0"}
    }
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"]
    assert len(lines) == 5 + 4
    assert {line.count("\t") for line in lines[4:]} == {1 + 16 * 3}


@pytest.mark.slow
def test_sports2d_reads_pixels(recording, ask, tmp_path):
    paths = write(recording, tmp_path, "sports2d")
    assert paths[0].name == "clip_px_person01.trc"  # Sports2D wants _px in the name
    for track, found in zip(recording.tracks, ask(SPORTS2D, *paths[::2]), strict=True):
        np.testing.assert_allclose(np.array(found["keypoints"])[:, 0], track.keypoints, atol=5.1e-5)
        np.testing.assert_allclose(found["times"], recording.seconds, atol=5.1e-7)
        assert found["markers"][1] == "RKnee"


@pytest.mark.parametrize("format", ["trc", "sports2d"])
def test_pandas(recording, tmp_path, format):
    """The lines below the header as any table: what Pose2Sim and Sports2D do, without their minutes of imports."""
    path = write(recording, tmp_path, format)[2]
    table = pd.read_csv(path, sep="\t", skiprows=5, header=None)
    points = table.iloc[:, 2:].to_numpy().reshape(4, 16, 3)
    x, y = np.moveaxis(recording.tracks[1].keypoints, 2, 0)
    expected = (x / 1000, (479 - y) / 1000) if format == "trc" else (x, y)
    np.testing.assert_allclose(points[..., 0], expected[0], atol=5.1e-7 if format == "trc" else 5.1e-5)
    np.testing.assert_allclose(points[..., 1], expected[1], atol=5.1e-7 if format == "trc" else 5.1e-5)
    np.testing.assert_allclose(table[1], recording.seconds, atol=5.1e-7)


def test_scores_stand_beside(recording, tmp_path):
    scores = pd.read_csv(write(recording, tmp_path, "trc")[3])
    np.testing.assert_allclose(scores.iloc[:, 2:], recording.tracks[1].scores, atol=5.1e-5)
    np.testing.assert_allclose(scores.seconds, recording.seconds, atol=5.1e-7)
    assert scores.columns.tolist()[:4] == ["frame", "seconds", "RAnkle", "RKnee"]


@pytest.fixture
def gap_in_last_marker(make_recording):
    """A person whose last marker is missing in the second of four frames, and all markers in the third."""
    recording = make_recording(people=(0,))
    (track,) = recording.tracks
    track.keypoints[1, -1], track.scores[1, -1] = np.nan, 0
    track.keypoints[2], track.scores[2] = np.nan, 0
    return recording


@pytest.mark.parametrize("format", ["trc", "sports2d"])
def test_a_line_does_not_end_in_an_empty_cell(gap_in_last_marker, tmp_path, format):
    """OpenSim drops it: "Expected = 50. Received = 49"."""
    lines = write(gap_in_last_marker, tmp_path, format)[0].read_text().splitlines()[5:]
    assert {line.count("\t") for line in lines} == {1 + 16 * 3}
    assert [line.split("\t")[-3:] == ["nan"] * 3 for line in lines] == [False, True, True, False]
    points = pd.read_csv(tmp_path / write(gap_in_last_marker, tmp_path, format)[0], sep="\t", skiprows=5, header=None)
    assert points.iloc[2, 2:].isna().all()


def test_opensim_reads_gaps(gap_in_last_marker, ask, tmp_path):
    code = """
import sys, opensim
table = opensim.TimeSeriesTableVec3(sys.argv[1])
answer = [[[point.get(axis) for axis in range(3)] for point in (table.getRowAtIndex(row).getElt(0, marker)
          for marker in range(table.getNumColumns()))] for row in range(table.getNumRows())]
"""
    path = write(gap_in_last_marker, tmp_path, "trc")[0]
    found = np.array(ask(code, path), dtype=float)
    keypoints = gap_in_last_marker.tracks[0].keypoints
    expected = marker_positions(gap_in_last_marker, keypoints, metres_per_pixel=None)
    np.testing.assert_allclose(found, expected, atol=5.1e-7)


def test_y_points_up_from_the_lowest_pixels(make_recording):
    recording = make_recording(image_size=(640, 480))
    keypoints = np.array([[[100.0, 479], [100, 0], [np.nan, 3]]])
    metres = marker_positions(recording, keypoints, metres_per_pixel=0.01)
    np.testing.assert_allclose(metres, [[[1, 0, 0], [1, 4.79, 0], [np.nan] * 3]], atol=1e-12)
    np.testing.assert_allclose(
        marker_positions(recording, keypoints, metres_per_pixel=None), [[[0.1, 0, 0], [0.1, 0.479, 0], [np.nan] * 3]]
    )


@pytest.mark.parametrize("scale", [0, -1.0, np.nan, np.inf])
def test_scales_that_are_none(recording, scale):
    with pytest.raises(ValueError, match="metres_per_pixel must be a positive number"):
        marker_positions(recording, recording.tracks[0].keypoints, metres_per_pixel=scale)


def test_unknown_height_and_rate(make_recording):
    recording = make_recording(image_size=(0, 0))
    with pytest.raises(ValueError, match=r"clip.mp4: y upwards needs the video's height.*image_size="):
        marker_positions(recording, recording.tracks[0].keypoints, metres_per_pixel=None)
    with pytest.raises(ValueError, match="has 1 frames; TRC files name a frame rate, which takes two"):
        require_rate(make_recording(people=(), frames=(0,)), "TRC")
