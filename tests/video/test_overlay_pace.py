"""How often a camera's pictures are written."""

import numpy as np
import pytest

from efficientpose.video.writing import OverlayPace


def shown(times, *, rate):
    """Return which picture is in each of the written ones; the last is written once."""
    pace = OverlayPace(rate=rate)
    written = []
    for index, seconds in enumerate(times):
        written += [index - 1] * pace.count_until(seconds)
    return [*written, len(times) - 1]


def test_pictures_wait_for_the_next_by_hand():
    """At 10 a second, the picture at 0.1 s is there for three, until 0.4 s."""
    assert shown([5.0, 5.1, 5.4, 5.5, 5.7], rate=10) == [0, 1, 1, 1, 2, 3, 3, 4]


def test_pictures_that_come_twice_as_fast_are_left_out():
    assert shown(np.arange(9) / 16, rate=8) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("jitter", [0, 0.45])
def test_a_camera_that_keeps_its_rate_has_each_picture_once(jitter):
    rng = np.random.default_rng(0)
    times = (np.arange(500) + rng.uniform(-jitter, jitter, 500)) / 30
    assert shown(times, rate=30) == list(range(500))


@pytest.mark.parametrize("mean_step", [0.3, 1.07, 5.2])
def test_every_picture_is_shown_within_a_frame_of_its_time(mean_step):
    times = np.cumsum(np.random.default_rng(1).exponential(mean_step, 400)) / 30
    written = np.array(shown(times, rate=30))
    assert (np.diff(written) >= 0).all()
    places, first_slots = np.unique(written, return_index=True)
    late = (times[places] - times[0]) * 30 - first_slots
    assert np.abs(late).max() < 1 + 1e-6
