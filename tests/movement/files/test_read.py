"""What predict wrote of a video, read back; and files that are not as they should be."""

import json

import numpy as np
import pytest

from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import Limb, Skeleton
from efficientpose.movement.files import read
from efficientpose.video.reading import Frame
from efficientpose.video.writing import VideoResults

HEADER = "frame,seconds,person,keypoint,x,y,score\n"
LINE = json.dumps({"frame": 0, "seconds": 0.0, "instances": []}) + "\n"
NAMED = '{"frame": 0, "seconds": 0.0, "instances": [], "keypoint_names": %s}\n'


def random_pose(rng):
    return Pose(bbox=tuple(rng.uniform(0, 60, 4)), keypoints=rng.uniform(0, 60, (16, 3)).astype(np.float32))


@pytest.fixture
def predicted(tmp_path):
    """Frames 0, 1 and 3 of a video of 64 x 48 pixels with two, no and one person; the files and poses."""
    rng = np.random.default_rng(2)
    poses = [(random_pose(rng), random_pose(rng)), (), (random_pose(rng),)]
    with VideoResults(tmp_path, "walk", rate=25.0) as results:
        for number, found in zip((0, 1, 3), poses, strict=True):
            results.write(Frame(number, number / 25 + 1e-4 * number**2, np.zeros((48, 64, 3), np.uint8)), found)
    return results, poses


def check(recording, row, person, pose):
    track = recording.tracks[person]
    np.testing.assert_allclose(track.keypoints[row], pose.keypoints[:, :2], atol=6e-5)
    np.testing.assert_allclose(track.scores[row], pose.keypoints[:, 2], atol=6e-5)


def test_json_lines(predicted):
    results, poses = predicted
    recording = read(results.lines_path)
    assert recording.frames.tolist() == [0, 1, 3]
    assert recording.seconds.tolist() == [0, 0.0401, 0.1209]
    assert (recording.source, recording.image_size) == ("walk", (64, 48))
    assert [track.is_seen.tolist() for track in recording.tracks] == [[True, False, True], [True, False, False]]
    for row, found in enumerate(poses):
        for person, pose in enumerate(found):
            check(recording, row, person, pose)
            np.testing.assert_allclose(recording.tracks[person].boxes[row], pose.bbox, atol=6e-4)
    assert np.isnan(recording.tracks[0].boxes[1]).all()
    assert (recording.tracks[1].scores[1:] == 0).all()


def test_json_lines_keep_the_other_peaks_of_each_heatmap(tmp_path):
    pose = random_pose(np.random.default_rng(3))
    peaks = np.full((16, 3, 3), np.nan)
    peaks[:, 0] = pose.keypoints
    peaks[4, 1], peaks[4, 2], peaks[9, 1] = (1, 2, 0.5), (3, 4, 0.25), (5, 6, 0.125)
    with VideoResults(tmp_path, "walk", rate=25.0, with_overlay=False) as results:
        for number, found in enumerate((pose, Pose(pose.bbox, pose.keypoints, peaks))):
            results.write(Frame(number, number / 25, np.zeros((48, 64, 3), np.uint8)), (found,))
    first, second = read(results.lines_path).tracks[0].peaks
    np.testing.assert_allclose(second, peaks, atol=6e-5)
    np.testing.assert_allclose(first[:, 0], pose.keypoints, atol=6e-5)
    assert np.isnan(first[:, 1:]).all()  # the first frame had none


def test_json_lines_of_another_skeleton(tmp_path):
    skeleton = Skeleton(("left_toe", "right_toe", "heel"), (Limb(2, 0), Limb(2, 1)), (1, 0, 2))
    points = np.arange(9, dtype=np.float32).reshape(3, 3)
    with VideoResults(tmp_path, "walk", rate=25.0, with_overlay=False, skeleton=skeleton) as results:
        results.write(Frame(0, 0.0, np.zeros((48, 64, 3), np.uint8)), (Pose(bbox=(0, 0, 9, 9), keypoints=points),))
    recording = read(results.lines_path)
    assert (recording.keypoint_names, recording.limbs) == (skeleton.keypoint_names, skeleton.limbs)
    np.testing.assert_array_equal(recording.tracks[0].keypoints[0], points[:, :2])
    assert results.table_path.read_text().splitlines()[2].startswith("0,0.0,0,right_toe,3.0,4.0")
    results.lines_path.write_text(results.lines_path.read_text().replace('"heel"]', '"heel", "arch"]'))
    with pytest.raises(ValueError, match="4 numbers and 4 keypoints"):
        read(results.lines_path)


def test_csv(predicted):
    results, poses = predicted
    results.overlay_path.unlink()
    recording = read(str(results.table_path))
    assert recording.frames.tolist() == [0, 3]  # the CSV has no line for a frame without people
    assert recording.seconds.tolist() == [0, 0.1209]
    assert (recording.source, recording.image_size) == ("walk", (0, 0))
    for row, found in enumerate((poses[0], poses[2])):
        for person, pose in enumerate(found):
            check(recording, row, person, pose)
    left, top = poses[0][1].keypoints[:, :2].min(axis=0)
    np.testing.assert_allclose(recording.tracks[1].boxes[0, :2], [left, top], atol=6e-5)


def test_json_lines_say_the_size_where_there_is_no_overlay(predicted):
    predicted[0].overlay_path.unlink()
    assert read(predicted[0].lines_path).image_size == (64, 48)


def test_a_given_size_wins(predicted):
    assert read(predicted[0].lines_path, image_size=(1920, 1080)).image_size == (1920, 1080)


@pytest.mark.parametrize("kind", ["lines_path", "table_path"])
def test_a_file_that_breaks_off_is_read_up_to_there(predicted, kind):
    path = getattr(predicted[0], kind)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.warns(UserWarning, match=r"walk_pose\.\w+: line \d+ breaks off"):
        recording = read(path)
    if kind == "lines_path":
        assert recording.frames.tolist() == [0, 1]
    else:
        assert recording.frames.tolist() == [0, 3]
        assert np.isnan(recording.tracks[0].keypoints[1, -1]).all()
        assert recording.tracks[0].scores[1, -1] == 0


def test_a_video_of_nobody(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(LINE + LINE.replace(": 0", ": 1"))
    assert read(path).tracks == ()
    assert read(path).frames.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.jsonl: there is no frame in it"),
        (LINE + "{nonsense\n", r"a\.jsonl:2: not JSON"),
        ('{"frame": 1}\n', r"a\.jsonl:1: lacks instances, seconds"),
        ("[]\n", r"a\.jsonl:1: lacks frame, instances, seconds"),
        (LINE.replace("[]", '[{"bbox": [1, 2, 3, 4]}]'), r"a\.jsonl:1: every instance has .*KeyError\('keypoints'\)"),
        (LINE.replace("[]", '[{"bbox": [1, 2, 3, 4], "keypoints": [[1, 2, 3]]}]'), "4 numbers and 16 keypoints"),
        (LINE + LINE, r"a\.jsonl:2: frame 0 at 0 s follows frame 0 at 0 s: frames and seconds must rise"),
        (LINE + LINE.replace("0.0", "0.1"), r"a\.jsonl:2: frame 0 at 0\.1 s follows frame 0"),
        (LINE + LINE.replace(": 0,", ": 1,"), r"a\.jsonl:2: frame 1 at 0 s follows frame 0 at 0 s"),
        (LINE.replace("0.0", "null"), r"a\.jsonl:1: frame must be a whole number and seconds a number, got 0 and None"),
        (LINE.replace(": 0,", ": Infinity,"), r"a\.jsonl:1: frame must be a whole number .*, got inf and 0\.0"),
        (LINE.replace(": 0,", ": 0.5,"), r"a\.jsonl:1: frame must be a whole number .*, got 0\.5 and 0\.0"),
        (NAMED % '["a", "b", "a"], "skeleton": []', r"a\.jsonl:1: keypoint_names has a twice"),
        (NAMED % '["a", "b"], "skeleton": [[0, 2]]', r"a\.jsonl:1: skeleton has the limb \[0, 2\], .* from 0 to 1"),
        (NAMED % '["a", "b"], "skeleton": [[1, -1]]', r"a\.jsonl:1: skeleton has the limb \[1, -1\]"),
    ],
)
def test_json_lines_that_are_none(tmp_path, text, message):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv: not a table"),
        (
            "frame,person,keypoint,x,score\n",
            r"a\.csv: lacks the columns seconds, y; needed are .* it has frame, person",
        ),
        (HEADER, r"a\.csv: nobody is in it"),
        (HEADER + "0,0.0,0,nose,1,2,0.5\n0,0.0,0,ear,1,two,0.5\n", r"a\.csv:3: y is no number, it is 'two'"),
        (HEADER + "0,0.0,0,nose,1,2,0.5\n0,0.0,0,nose,1,2,0.5\n", r"a\.csv:3: this keypoint of this person was there"),
        (HEADER + "0,0.0,,nose,1,2,0.5\n", r"a\.csv:2: person is empty"),
        (HEADER + "0,0.0,0,,1,2,0.5\n", r"a\.csv:2: keypoint is empty"),
        (HEADER + "0,0.0,0.5,nose,1,2,0.5\n", r"a\.csv:2: person is no whole number, it is 0\.5"),
        (HEADER + "0,0.0,0,nose,1,2,0.5\n0,0.1,1,nose,1,2,0.5\n", r"a\.csv:2: one frame has two times"),
        (HEADER + "0,0.1,0,nose,1,2,0.5\n1,0.1,0,nose,1,2,0.5\n", r"a\.csv: seconds must rise"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_other_files(tmp_path):
    with pytest.raises(ValueError, match=r"a\.xlsx: a recording is read from .jsonl or .csv files, not .xlsx"):
        read(tmp_path / "a.xlsx")
    with pytest.raises(FileNotFoundError, match=r"a\.csv"):
        read(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"\x89\xff\n")
    with pytest.raises(ValueError, match=r"b\.csv: not a text file in UTF-8"):
        read(tmp_path / "b.csv")


def test_a_whole_last_line_without_its_end_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text((LINE + LINE.replace(": 0", ": 1")).rstrip())
    assert read(path).frames.tolist() == [0, 1]


def test_scores_and_boxes_that_are_no_numbers(tmp_path):
    keypoints = [[10.0 + index, 20, 0.5] for index in range(16)]
    keypoints[0][2], keypoints[1][2] = np.nan, np.inf
    instance = {"bbox": [np.nan] * 4, "keypoints": keypoints}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"frame": 0, "seconds": 0.0, "instances": [instance]}) + "\n")
    (track,) = read(path).tracks
    assert track.scores[0].tolist() == [0, 0] + [0.5] * 14
    assert track.boxes[0].tolist() == [10, 20, 25, 20]


def test_keypoints_that_are_called_by_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "0,0.0,0,7,1,2,0.5\n")
    assert read(path).keypoint_names == ("7",)
