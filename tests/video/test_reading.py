"""Reading videos: every frame as players show it, its time and number; what is damaged or cut off is said."""

import os
import struct
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from efficientpose.video.camera import open_camera
from efficientpose.video.reading import MIN_STEPS, Frame, FrameNumbers, VideoError, open_video


def read_number(frame: np.ndarray) -> int:
    """Return what the video's frames show, as eight bars."""
    return sum((frame[12:36, 10 + 10 * bit : 14 + 10 * bit].mean() > 128) << bit for bit in range(8))


def read_all(path: Path) -> tuple[list[Frame], list[str]]:
    with open_video(path) as source:
        return list(source), source.problems


@pytest.mark.parametrize(("name", "fourcc"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v")])
def test_every_frame_comes_once_in_order_with_its_time(make_video, name, fourcc):
    frames, problems = read_all(make_video(name, num_frames=30, rate=25, fourcc=fourcc))
    assert [frame.number for frame in frames] == list(range(30))
    assert [read_number(frame.image) for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(30) / 25, atol=1e-3)
    assert frames[0].image.shape == (64, 96, 3)
    assert problems == []


def find_box(data: bytes, *path: bytes) -> tuple[int, int]:
    """Return where a box of an MP4 file starts and ends."""
    start, end = 0, len(data)
    for kind in path:
        while data[start + 4 : start + 8] != kind:
            start += struct.unpack_from(">I", data, start)[0]
            assert start < end, kind
        start, end = start + 8, start + struct.unpack_from(">I", data, start)[0]
    return start - 8, end


def test_variable_frame_rate_gives_the_video_s_own_times(make_video):
    video = make_video(num_frames=20, rate=10)
    data = bytearray(video.read_bytes())
    folders = [b"moov", b"trak", b"mdia", b"minf", b"stbl"]
    start, end = find_box(data, *folders, b"stts")
    num_entries, count, ticks = struct.unpack_from(">III", data, start + 12)
    assert (num_entries, count) == (1, 20)
    # Ten frames at the rate written, then ten that last a quarter as long.
    table = struct.pack(">I4sIIIIII", 32, b"stts", 0, 2, 10, ticks, 10, ticks // 4)
    for depth in range(1, len(folders) + 1):
        place, _ = find_box(data, *folders[:depth])
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + len(table) - (end - start))
    data[start:end] = table
    video.write_bytes(data)
    frames, problems = read_all(video)
    expected = np.cumsum([0] + [0.1] * 10 + [0.025] * 9)
    np.testing.assert_allclose([frame.seconds for frame in frames], expected, atol=2e-3)
    assert problems == []


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_turned_video_is_turned_upright(make_video, quarter_turns):
    video = make_video(num_frames=3)
    (upright, *_), _ = read_all(video)
    data = bytearray(video.read_bytes())
    start, _ = find_box(data, b"moov", b"trak", b"tkhd")
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]
    struct.pack_into(">iiiiii", data, start + 48, cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0)
    video.write_bytes(data)
    (turned, *_), _ = read_all(video)
    np.testing.assert_array_equal(turned.image, np.rot90(upright.image, -quarter_turns))


def sample_sizes(data: bytes) -> list[int]:
    start, _ = find_box(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")
    size, count = struct.unpack_from(">II", data, start + 12)
    return [size] * count if size else list(struct.unpack_from(f">{count}I", data, start + 20))


def test_damaged_frames_are_named_and_skipped(make_video):
    video = make_video(num_frames=40)
    data = bytearray(video.read_bytes())
    sizes = sample_sizes(data)
    start, _ = find_box(data, b"mdat")
    begin = start + 8 + sum(sizes[:20])
    data[begin : begin + sum(sizes[20:22])] = bytes(sum(sizes[20:22]))
    video.write_bytes(data)
    frames, problems = read_all(video)
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 39
    missing = sorted(set(range(40)) - set(numbers))
    assert missing
    assert set(missing) <= {19, 20, 21, 22}
    span = f"frame {missing[0]} is" if len(missing) == 1 else f"frames {missing[0]} to {missing[-1]} are"
    assert problems == [f"{video}: {span} damaged, skipped"]
    np.testing.assert_allclose(frames[-1].seconds, 39 / 25, atol=1e-3)


def test_what_follows_long_damage_is_read(make_video):
    video = make_video(num_frames=600)
    data = bytearray(video.read_bytes())
    sizes = sample_sizes(data)
    start, _ = find_box(data, b"mdat")
    begin = start + 8 + sum(sizes[:200])
    length = sum(sizes[200:500])
    data[begin : begin + length] = bytes(length)
    video.write_bytes(data)
    frames, problems = read_all(video)
    numbers = [frame.number for frame in frames]
    missing = sorted(set(range(600)) - set(numbers))
    assert len(missing) > 200
    assert numbers[-1] == 599
    np.testing.assert_allclose(frames[-1].seconds, 599 / 25, atol=1e-3)
    assert problems == [f"{video}: frames {missing[0]} to {missing[-1]} are damaged, skipped"]


def overwrite(path: Path, *, start: int, length: int) -> None:
    data = bytearray(path.read_bytes())
    data[start : start + length] = bytes(length)
    path.write_bytes(data)


@pytest.mark.parametrize(("name", "fourcc"), [("a.mkv", "mp4v"), ("a.ts", "mp4v")])
def test_frames_that_the_container_passes_over_are_named_and_counted(make_video, name, fourcc):
    """A twentieth of the file is lost, without any failed read."""
    video = make_video(name, num_frames=60, rate=25, fourcc=fourcc)
    size = video.stat().st_size
    overwrite(video, start=size // 2, length=size // 20)
    frames, problems = read_all(video)
    numbers = [frame.number for frame in frames]
    np.testing.assert_allclose([frame.seconds for frame in frames], np.array(numbers) / 25, atol=1e-3)
    missing = sorted(set(range(60)) - set(numbers))
    assert len(missing) >= 2
    assert problems == [f"{video}: frames {missing[0]} to {missing[-1]} are damaged, skipped"]
    # What comes before the next key frame is made of pictures that are gone.
    assert [read_number(frame.image) for frame in frames if frame.number >= 48] == list(range(48, 60))


def test_pictures_that_a_decoder_drops_beside_a_damaged_one_are_counted(make_video):
    video = make_video("a.avi", num_frames=60, fourcc="png ")
    data = video.read_bytes()
    start = data.index(b"movi") + 4
    for _ in range(20):
        start += 8 + struct.unpack_from("<I", data, start + 4)[0]
        start += start % 2
    overwrite(video, start=start + 8, length=struct.unpack_from("<I", data, start + 4)[0])
    frames, problems = read_all(video)
    numbers = [frame.number for frame in frames]
    assert [read_number(frame.image) for frame in frames] == numbers
    assert numbers == [*range(20), *range(60 - len(frames) + 20, 60)]
    last = 59 - len(frames) + 20
    assert problems == [f"{video}: {'frame 20 is' if last == 20 else f'frames 20 to {last} are'} damaged, skipped"]


def test_a_broken_chunk_within_an_avi_is_not_taken_for_its_end(make_video):
    video = make_video("a.avi", num_frames=60, fourcc="MJPG")
    overwrite(video, start=video.stat().st_size // 2, length=video.stat().st_size // 20)
    frames, problems = read_all(video)
    assert read_number(frames[-1].image) == 59
    assert len(frames) < 59
    (problem,) = problems
    assert f"a.avi: {len(frames)} of 60 frames can be read, the rest is damaged or cut off; an AVI" in problem


@pytest.fixture(scope="module")
def sports2d_clip() -> Path:
    """H.264 of 230 frames at 30 a second, with sound."""
    spec = find_spec("Sports2D")
    clip = Path(spec.origin).parent / "Demo" / "demo.mp4" if spec is not None and spec.origin else None
    if clip is None or not clip.is_file():
        pytest.skip("Sports2D and its demo.mp4 are not installed")
    return clip


def test_frames_that_h264_drops_are_counted(sports2d_clip, tmp_path):
    data = sports2d_clip.read_bytes()
    sizes = sample_sizes(data)
    start, _ = find_box(data, b"mdat")
    video = tmp_path / "demo.mp4"
    video.write_bytes(data)
    overwrite(video, start=start + 8 + sum(sizes[:60]), length=sizes[60])
    with open_video(video) as source:
        frames = [(frame.number, frame.seconds) for frame in source]
        (problem,) = source.problems
    numbers = [number for number, _ in frames]
    np.testing.assert_allclose([seconds for _, seconds in frames], np.array(numbers) / 30, atol=1e-3)
    missing = sorted(set(range(230)) - set(numbers))
    assert problem == f"{video}: frames {missing[0]} to {missing[-1]} are damaged, skipped"
    assert numbers == [number for number in range(230) if number not in missing]
    assert len(missing) > 2


def test_a_video_cut_off_in_the_middle_gives_what_is_there(make_video):
    video = make_video("cut.avi", num_frames=60, fourcc="MJPG")
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    frames, problems = read_all(video)
    assert 20 < len(frames) < 40
    assert [frame.number for frame in frames] == list(range(len(frames)))
    (problem,) = problems
    assert f"{len(frames)} of 60 frames can be read, the rest is damaged or cut off" in problem


def test_an_mp4_without_its_index_cannot_be_opened(make_video):
    video = make_video()
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"clip\.mp4: not a video that FFmpeg can read, or its end is missing"):
        open_video(video)


def test_files_that_are_no_videos(tmp_path, make_video):
    with pytest.raises(VideoError, match=r"nowhere\.mp4: no such video"):
        open_video(tmp_path / "nowhere.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match=r"empty\.mp4: the file is empty"):
        open_video(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"text\.mp4: not a video"):
        open_video(tmp_path / "text.mp4")


def test_a_camera_that_is_not_there():
    with pytest.raises(VideoError, match="camera 93: it is not there, or another program has it"):
        open_camera(93)


def number(frames, *, rate=25.0, tick=0.0, has_table=True):
    """Number frames that are shown at these times, in frames; ``None`` stands for one that cannot be decoded."""
    numbers = FrameNumbers(rate=rate, tick=tick, has_table=has_table)
    found, num_failed = [], 0
    for frame in frames:
        if frame is None:
            num_failed += 1
            continue
        found.append(numbers.place(frame / rate, num_failed=num_failed))
        num_failed = 0
    return found


START = list(range(MIN_STEPS + 1))
"""Frames at a constant rate, just enough to know that it is."""


@pytest.mark.parametrize("first", [0, 7.4])
def test_after_a_failure_the_time_says_how_many_frames_are_lost(first):
    assert number([first + each for each in START] + [None, first + 20, first + 21]) == [*START, 20, 21]
    assert number([*START, None, 12.45]) == [*START, 12]
    assert number([*START, None, 12.55]) == [*START, 13]


def test_frames_that_a_decoder_holds_back_are_numbered_by_their_times():
    """Frames 11 and 12 come after the failure of frame 13."""
    assert number([*START, None, 11, 12, 14]) == [*START, 11, 12, 14]


def test_a_longer_step_without_failure_counts_only_where_the_container_has_no_table():
    assert number([*START, 20, 21], has_table=False) == [*START, 20, 21]
    assert number([*START, 20, 21]) == list(range(13))
    assert number([*START, 20.3, 21.3], has_table=False) == list(range(13))
    assert number([0, None, *range(2, 20), 30]) == [0, *range(2, 20), 30]  # frames were lost before


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([0.8, 1.2] * 10, id="jitter"),
        pytest.param([1, 2] * 10, id="every third is left out"),
        pytest.param([1] * 10 + [0.25] * 10, id="two rates"),
        pytest.param([1.0] * (MIN_STEPS - 1), id="too few to know"),
    ],
)
@pytest.mark.parametrize("has_table", [False, True])
def test_frames_of_a_varying_rate_are_counted(steps, has_table):
    frames = [sum(steps[:index]) for index in range(len(steps) + 1)]
    last = frames[-1]
    numbers = number([*frames, last + 9, None, last + 20], has_table=has_table)
    assert numbers == [*range(len(frames) + 1), len(frames) + 2]


def test_times_in_milliseconds_are_constant_at_a_high_rate():
    rate = 240.0
    frames = [round(1000 * each / rate) / 1000 * rate for each in (*range(30), 40, 41)]
    assert number(frames, rate=rate, tick=0.001, has_table=False) == [*range(30), 40, 41]


@pytest.fixture(scope="session")
def cases(shared):
    return shared / "cases"


@pytest.mark.parametrize(
    ("name", "rate", "num_frames", "size"),
    [
        ("base.mp4", 30, 30, (640, 360)),
        ("sar2.mp4", 30, 30, (640, 360)),
        ("odd.mp4", 30, 30, (637, 355)),
        ("m60.mkv", 60, 24, (640, 360)),
        ("m60.webm", 60, 24, (640, 360)),
        ("m120.mkv", 120, 30, (640, 360)),
        ("short240.mp4", 240, 40, (640, 360)),
        ("trim_editlist.mp4", 30, 15, (640, 360)),
        ("c_flv.flv", 30, 30, (640, 360)),
        ("raw.h264", 30, 30, (640, 360)),
        ("anim.gif", 10, 10, (320, 180)),
    ],
)
def test_videos_of_constant_rate_have_exact_times(cases, name, rate, num_frames, size):
    """Also where the container rounds times to milliseconds, is trimmed, or says none."""
    frames, problems = read_all(cases / name)
    assert problems == []
    assert [frame.number for frame in frames] == list(range(num_frames))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(num_frames) / rate, atol=1e-9)
    assert {frame.image.shape[1::-1] for frame in frames} == {size}
    with open_video(cases / name) as video:
        assert video.rate == rate


@pytest.mark.parametrize(("name", "tick"), [("vfr.mp4", 1e-9), ("vfr.mkv", 5.1e-4)])
def test_a_varying_rate_is_no_damage(cases, name, tick):
    frames, problems = read_all(cases / name)
    assert problems == []
    assert [frame.number for frame in frames] == list(range(30))
    expected = [*np.arange(15) / 30, *(0.5 + np.arange(15) / 10)]
    np.testing.assert_allclose([frame.seconds for frame in frames], expected, atol=tick)


def test_wide_pixels_are_shown_as_players_show_them(cases):
    square, wide = (read_all(cases / name)[0][15].image.astype(float) for name in ("base.mp4", "sar2.mp4"))
    assert np.abs(square - wide).mean() < 4


def test_a_name_that_is_not_utf8(make_video, tmp_path):
    video = make_video(num_frames=5).rename(Path(os.fsdecode(bytes(tmp_path) + b"/ann\xe9e.mp4")))
    frames, problems = read_all(video)
    assert len(frames) == 5
    assert problems == []


def test_without_pyav_it_is_named(make_video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VideoError, match=r"clip\.mp4: reading videos needs PyAV: pip install av"):
        open_video(make_video(num_frames=1))


def test_a_matroska_file_cut_off_in_the_middle_is_reported(make_video):
    video = make_video("cut.mkv", num_frames=60)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    frames, (problem,) = read_all(video)
    assert 20 < len(frames) < 40
    assert problem.startswith(f"{video}: it ends after frame {len(frames) - 1}, at ")
