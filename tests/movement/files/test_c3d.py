"""C3D files read back by ezc3d."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from efficientpose.movement.files import write
from efficientpose.movement.files.c3d import MAX_FRAMES
from efficientpose.movement.recording import Recording, Track

ezc3d = pytest.importorskip("ezc3d")


def test_ezc3d(recording, tmp_path):
    path, scores = write(recording, tmp_path, "c3d", metres_per_pixel=0.0025)
    content = ezc3d.c3d(str(path))
    points = content["data"]["points"]
    labels = content["parameters"]["POINT"]["LABELS"]["value"]
    assert points.shape == (4, 32, 5)  # frame 3 is put back
    assert content["parameters"]["POINT"]["UNITS"]["value"] == ["mm"]
    assert content["parameters"]["SUBJECTS"]["NAMES"]["value"] == ["person_1", "person_4"]
    assert labels[1] == "person_1:RKnee"
    assert labels[31] == "person_4:LWrist"
    assert content["parameters"]["POINT"]["RATE"]["value"][0] == pytest.approx(recording.frame_rate, rel=1e-6)
    for number, track in enumerate(recording.tracks):
        found = points[:3, 16 * number : 16 * number + 16][..., recording.frames]
        millimetres = track.keypoints.transpose(2, 1, 0) * 2.5
        np.testing.assert_allclose(found[0], millimetres[0], rtol=1e-6)
        np.testing.assert_allclose(found[1], 479 * 2.5 - millimetres[1], rtol=1e-6, atol=1e-4)
        np.testing.assert_array_equal(found[2], np.where(np.isnan(millimetres[0]), np.nan, 0))
    assert np.isnan(points[:3, :, 3]).all()
    table = pd.read_csv(scores)
    assert table.columns.tolist() == ["frame", "seconds", *labels]
    np.testing.assert_allclose(table.iloc[:, 2:18], recording.tracks[0].scores, atol=5.1e-5)
    np.testing.assert_allclose(table.seconds, recording.seconds, atol=5.1e-7)


def test_one_person_without_a_scale_is_in_pixels(make_recording, tmp_path):
    recording = make_recording(people=(4,))
    content = ezc3d.c3d(str(write(recording, tmp_path / "one.c3d", "c3d")[0]))
    assert content["parameters"]["POINT"]["LABELS"]["value"][0] == "RAnkle"
    assert content["parameters"]["SUBJECTS"]["NAMES"]["value"] == ["person_4"]
    np.testing.assert_allclose(
        content["data"]["points"][0][:, recording.frames].T, recording.tracks[0].keypoints[..., 0], rtol=1e-6
    )


def test_more_markers_than_one_list_of_names_holds(make_recording, tmp_path):
    recording = make_recording(people=range(20))
    content = ezc3d.c3d(str(write(recording, tmp_path, "c3d")[0]))
    point = content["parameters"]["POINT"]
    assert content["data"]["points"].shape == (4, 320, 5)
    assert [*point["LABELS"]["value"], *point["LABELS2"]["value"]][-1] == "person_19:LWrist"


def test_more_frames_than_c3d_counts(tmp_path):
    num_frames = MAX_FRAMES + 1
    track = Track(
        person=0,
        keypoints=np.zeros((num_frames, 1, 2)),
        scores=np.ones((num_frames, 1)),
        boxes=np.zeros((num_frames, 4)),
    )
    recording = Recording(
        seconds=np.arange(num_frames) / 30,
        frames=np.arange(num_frames),
        tracks=(track,),
        image_size=(640, 480),
        keypoint_names=("nose",),
        limbs=(),
    )
    with pytest.raises(ValueError, match=r"recording\.c3d: a C3D file holds 65535 frames, not 65536"):
        write(recording, tmp_path, "c3d")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_ezc3d_wrote_in_part_is_not_kept(recording, tmp_path, monkeypatch):
    path, _ = write(recording, tmp_path, "c3d")
    before = path.read_bytes()
    whole = ezc3d.c3d.write

    def write_in_part(content, name):
        whole(content, name)
        with Path(name).open("r+b") as file:
            file.truncate(1500)

    monkeypatch.setattr(ezc3d.c3d, "write", write_in_part)
    with pytest.raises(OSError, match=r"clip\.c3d: the file did not get whole to the disk"):
        write(recording, tmp_path, "c3d")
    assert path.read_bytes() == before
    assert {found.name for found in tmp_path.iterdir()} == {"clip.c3d", "clip.scores.csv"}
