"""One function for every format: paths, refusals, and a disk that is full."""

import importlib.util
import resource
from contextlib import contextmanager

import pytest

from efficientpose.movement.files import FORMATS, read, write
from efficientpose.movement.files.text import write_text

LIBRARIES = {"deeplabcut-h5": ["tables"], "c3d": ["ezc3d"], "nwb": ["pynwb", "ndx_pose"]}
NEED_PEOPLE = ("deeplabcut-csv", "deeplabcut-h5", "trc", "sports2d", "c3d", "nwb")


def available(format):
    for library in LIBRARIES.get(format, []):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_what_it_wrote(recording, tmp_path, format):
    available(format)
    paths = write(recording, tmp_path / "new" / "folder", format)
    written = set((tmp_path / "new" / "folder").rglob("*"))
    assert set(paths) == written
    assert all(path.name.startswith("clip") for path in paths)


def test_two_formats_in_one_folder_do_not_meet(recording, tmp_path):
    paths = []
    for format in FORMATS:
        available(format)
        paths += write(recording, tmp_path, format)
    times_of_both = [path for path in paths if path.name == "clip_deeplabcut_timestamps.csv"]
    assert len(times_of_both) == 2  # of its CSV and its HDF5, the same times
    assert len(paths) == len(set(paths)) + 1


@pytest.mark.parametrize("source", ["clip.mp4", "clip", "folder/clip.MOV"])
def test_names_without_the_video_s_suffix(make_recording, tmp_path, source):
    assert write(make_recording(source=source), tmp_path, "csv") == (tmp_path / "clip_tidy.csv",)
    assert write(make_recording(source=""), tmp_path, "csv") == (tmp_path / "recording_tidy.csv",)


def test_refusals(recording, tmp_path):
    with pytest.raises(ValueError, match=r"no format 'xml': there are csv, deeplabcut-csv, .*, nwb"):
        write(recording, tmp_path, "xml")
    with pytest.raises(ValueError, match=r"a\.txt: trc cannot be written to a \.txt file; give one that ends in \.trc"):
        write(recording, tmp_path / "a.txt", "trc")
    with pytest.raises(ValueError, match=r"a\.json: openpose cannot be written to a \.json file; give a folder"):
        write(recording, tmp_path / "a.json", "openpose")
    with pytest.raises(ValueError, match=r"metres_per_pixel is for formats in metres \(trc, c3d\); csv is in pixels"):
        write(recording, tmp_path, "csv", metres_per_pixel=0.01)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", NEED_PEOPLE)
def test_nobody_to_write(make_recording, tmp_path, format):
    available(format)
    with pytest.raises(ValueError, match=f"clip.mp4 has 4 frames and 0 people: there is nothing to write as {format}"):
        write(make_recording(people=()), tmp_path, format)


@pytest.mark.parametrize("format", sorted(set(FORMATS) - set(NEED_PEOPLE)))
def test_nobody_can_be_written(make_recording, tmp_path, format):
    assert all(path.exists() for path in write(make_recording(people=()), tmp_path, format))


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_that_takes_no_files(recording, tmp_path, format):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"no file can be written here.*file/folder'"):
        write(recording, tmp_path / "file" / "folder", format)


@contextmanager
def small_disk():
    """A disk on which no file grows over 1000 bytes; not for a whole test, since pytest may write to a longer file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"openpose"}))
def test_a_full_disk_leaves_the_earlier_file(recording, make_recording, tmp_path, format):
    available(format)
    earlier = {path: path.read_bytes() for path in write(make_recording(), tmp_path, format)}
    recording.tracks[0].keypoints[:] += 1
    with small_disk(), pytest.raises(OSError, match="clip") as caught:
        write(recording, tmp_path, format)
    assert "partial" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == earlier


def test_a_full_disk_keeps_openpose_s_frames_so_far(recording, tmp_path):
    """A frame of one person takes less than 1000 bytes, of two more: the first two frames of four have one."""
    recording.tracks[1].keypoints[:2] = float("nan")
    with small_disk(), pytest.raises(OSError, match=r"clip_000000000004_keypoints\.json"):
        write(recording, tmp_path, "openpose")
    assert sorted(path.name for path in (tmp_path / "clip_json").iterdir()) == [
        f"clip_{number:012d}_keypoints.json" for number in range(4)
    ]


def test_predict_s_files_stay_readable_on_a_full_disk(tmp_path):
    """What was written in the middle of a line is read up to it, with a warning (see test_read.py)."""
    path = tmp_path / "walk_pose.csv"
    lines = "".join(f"{number},{number / 10},0,nose,10.25,20.5,0.75\n" for number in range(100))
    with small_disk(), pytest.raises(OSError, match="File too large"), path.open("w") as file:
        file.write(f"frame,seconds,person,keypoint,x,y,score\n{lines}")
    with pytest.warns(UserWarning, match="breaks off"):
        recording = read(path)
    assert len(recording.frames) == len(path.read_text().splitlines()) - 2
    assert (recording.tracks[0].keypoints == [10.25, 20.5]).all()


def test_text_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "earlier")
    with small_disk(), pytest.raises(OSError, match=r"a\.txt"):
        write_text(path, "x" * 2000)
    assert path.read_text() == "earlier"
