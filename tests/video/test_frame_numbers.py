"""Pictures are numbered by counting, and by their times only where these prove that frames are missing."""

import pytest

from efficientpose.video.reading import MIN_STEPS, Container, FrameNumbers, inspect_container

LOST = None
"""Stands for a read that fails."""


def number(frames, *, rate=25.0, num_frames=1000, may_skip=False):
    """Number pictures that are shown at these times, in frames; ``LOST`` among them are failed reads."""
    numbers = FrameNumbers(rate=rate, num_frames=num_frames, may_skip=may_skip)
    found, num_failed = [], 0
    for frame in frames:
        if frame is LOST:
            num_failed += 1
            continue
        found.append(numbers.place(num_failed=num_failed, seconds=frame / rate))
        num_failed = 0
    return found


START = list(range(MIN_STEPS + 1))
"""Pictures at a constant rate, just enough to know that it is."""


@pytest.mark.parametrize("may_skip", [False, True])
@pytest.mark.parametrize("first", [0, 7.4])
def test_after_a_failed_read_the_time_says_how_many_are_missing(first, may_skip):
    frames = [first + each for each in START] + [LOST, first + 20, first + 21]
    assert number(frames, may_skip=may_skip) == [*START, 20, 21]


def test_more_failed_reads_than_missing_time_are_all_counted():
    assert number([*START, LOST, LOST, LOST, 11, 12]) == [*START, 14, 15]


def test_half_a_frame_decides():
    assert number([*START, LOST, 12.45]) == [*START, 12]
    assert number([*START, LOST, 12.55]) == [*START, 13]


def test_a_skip_without_failed_read_counts_only_where_frames_may_be_skipped():
    frames = [*START, 20, 21]
    assert number(frames, may_skip=True) == [*START, 20, 21]
    assert number(frames) == list(range(13))
    assert number([0, LOST, *range(2, 20), 30]) == [0, *range(2, 20), 30]  # frames were lost before


def test_a_pause_that_is_no_whole_number_of_frames_is_no_skip():
    assert number([*START, 20.3, 21.3], may_skip=True) == list(range(13))


def test_a_file_without_frame_count_is_counted():
    assert number([*START, LOST, 20], num_frames=None) == [*START, 12]


def test_a_time_beyond_what_the_header_promises_is_not_believed():
    assert number([*START, LOST, 20], num_frames=20) == [*START, 20]
    assert number([*START, LOST, 20], num_frames=19) == [*START, 12]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([0.8, 1.2] * 10, id="jitter"),
        pytest.param([1, 2] * 10, id="every third is left out"),
        pytest.param([1] * 10 + [0.25] * 10, id="two rates"),
        pytest.param([1.0] * (MIN_STEPS - 1), id="too few to know"),
    ],
)
@pytest.mark.parametrize("may_skip", [False, True])
def test_a_varying_rate_is_counted(steps, may_skip):
    frames = [sum(steps[:index]) for index in range(len(steps) + 1)]
    last = frames[-1]
    assert number([*frames, last + 9, LOST, last + 20], may_skip=may_skip) == [
        *range(len(frames) + 1),
        len(frames) + 2,
    ]


def test_one_odd_step_in_twenty_leaves_a_rate_constant():
    assert number([*range(20), 19.5, 20.5, LOST, 30.5])[-1] == 31  # 10 frames after the 22nd picture
    assert number([*range(10), 9.5, 10.5, LOST, 20.5])[-1] == 13


def test_times_in_milliseconds_are_constant_at_a_high_rate():
    rate = 240.0
    frames = [round(1000 * each / rate) / 1000 * rate for each in (*range(30), 40, 41)]
    assert number(frames, rate=rate, may_skip=True) == [*range(30), 40, 41]


def test_times_that_are_not_said_are_counted():
    numbers = FrameNumbers(rate=25, num_frames=1000, may_skip=True)
    assert [numbers.place(num_failed=0, seconds=None) for _ in range(12)] == list(range(12))
    assert numbers.place(num_failed=2, seconds=10.0) == 14
    assert numbers.place(num_failed=0, seconds=20.0) == 15


def test_containers(tmp_path):
    def container(name, content):
        (tmp_path / name).write_bytes(content)
        return inspect_container(tmp_path / name)

    avi = b"RIFF\x0c\x00\x00\x00AVI 12345678"
    assert container("whole.avi", avi) == Container(may_skip=False, is_whole_avi=True)
    assert container("cut.avi", avi[:-1]) == container("more.avi", avi + b"xx") == Container()
    assert container("a.wav", avi.replace(b"AVI ", b"WAVE")) == Container()
    assert container("a.MKV", b"\x1aE\xdf\xa3") == container("a.ts", b"G") == Container(may_skip=True)
    assert container("a.mp4", b"") == Container()
