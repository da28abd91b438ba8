"""Every filter can be switched on by itself, raw values stay, and a report says what was done."""

import numpy as np
import pytest

from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES
from efficientpose.movement.butterworth import butterworth
from efficientpose.movement.filtering import filter_recording
from efficientpose.movement.one_euro import one_euro
from efficientpose.movement.recording import Recording

NAMES = list(KEYPOINT_NAMES)
OFF = {"decode": False, "outliers": False, "max_gap": None, "smoothing": None}


@pytest.fixture
def damaged(standing, make_recording):
    """Forty frames of slow walking with everything wrong once."""
    keypoints = standing(40) + np.arange(40)[:, None, None] * [1.0, 0]
    keypoints[5] = keypoints[5, list(FLIP_INDICES)]
    keypoints[12, NAMES.index("left_wrist")] += [60, -50]
    keypoints[20:22, NAMES.index("head_top")] = np.nan
    keypoints[30, NAMES.index("pelvis"), 1] = np.nan  # half a keypoint is none
    recording = make_recording(keypoints)
    recording.tracks[0].scores[33, NAMES.index("left_knee")] = 0.05
    return recording


def test_all_off_changes_nothing(damaged):
    filtered = filter_recording(damaged, **OFF)
    raw, track = damaged.tracks[0], filtered.recording.tracks[0]
    is_found = np.isfinite(raw.keypoints).all(axis=2)
    np.testing.assert_array_equal(track.keypoints[is_found], raw.keypoints[is_found])
    assert np.isnan(track.keypoints[~is_found]).all()
    np.testing.assert_array_equal(track.scores, raw.scores)
    assert not any(mask.any() for mask in filtered.reports[0][1:-1])


@pytest.mark.parametrize(
    ("settings", "changed", "count"),
    [
        ({"min_score": 0.1}, "is_doubtful", 1),
        ({"decode": True}, "is_decoded", 13),
        ({"outliers": True}, "is_outlier", 13),
        ({"max_gap": 0.2}, "is_filled", 3),
        ({"max_gap": 0.1}, "is_filled", 1),
    ],
)
def test_each_by_itself(damaged, settings, changed, count):
    report = filter_recording(damaged, **(OFF | settings)).reports[0]
    assert getattr(report, changed).sum() == count


def test_all_together_gives_the_movement_back(damaged, standing):
    filtered = filter_recording(damaged, min_score=0.1)
    truth = standing(40) + np.arange(40)[:, None, None] * [1.0, 0]
    track = filtered.recording.tracks[0]
    np.testing.assert_allclose(track.keypoints, truth, atol=1e-6)
    # Taken out or missing and filled in: the doubtful knee, the wrist, the pelvis and two head tops.
    assert np.argwhere(track.scores == 0).tolist() == [[12, 15], [20, 9], [21, 9], [30, 6], [33, 4]]
    np.testing.assert_array_equal(filtered.reports[0].is_filled, track.scores == 0)
    assert str(filtered.reports[0]) == (
        "person 0: 1 keypoints taken out for low scores, 13 chosen otherwise over the clip, 0 outliers taken out, "
        "5 filled in, 0 in stretches too short to smooth; left and right are sure in all frames"
    )


def test_raw_is_kept_and_not_written_to(damaged):
    before = damaged.tracks[0].keypoints.copy(), damaged.tracks[0].scores.copy()
    once = filter_recording(damaged, min_score=0.1).recording
    assert once.raw is damaged
    assert filter_recording(once, smoothing="one_euro").recording.raw is damaged
    np.testing.assert_array_equal(damaged.tracks[0].keypoints, before[0])
    np.testing.assert_array_equal(damaged.tracks[0].scores, before[1])
    np.testing.assert_array_equal(once.tracks[0].boxes, damaged.tracks[0].boxes)


def test_smoothing_is_the_filter_asked_for(standing, make_recording):
    keypoints = standing(50) + np.random.default_rng(0).normal(0, 2, (50, 16, 2))
    recording = make_recording(keypoints)
    off = OFF | {"smoothing": "butterworth", "cutoff": 4, "order": 2}
    np.testing.assert_array_equal(
        filter_recording(recording, **off).recording.tracks[0].keypoints,
        butterworth(keypoints, recording.seconds, cutoff=4, order=2).values,
    )
    off = OFF | {"smoothing": "one_euro", "min_cutoff": 2, "beta": 0.01}
    np.testing.assert_array_equal(
        filter_recording(recording, **off).recording.tracks[0].keypoints,
        one_euro(keypoints, recording.seconds, min_cutoff=2, beta=0.01),
    )


def test_short_stretches_are_reported(standing, make_recording):
    keypoints = standing(30)
    keypoints[5:20] = np.nan
    report = filter_recording(make_recording(keypoints)).reports[0]
    assert report.is_unsmoothed[:5].all()
    assert not report.is_unsmoothed[5:].any()


def test_several_people_keep_their_numbers(standing, make_recording):
    filtered = filter_recording(make_recording(standing(15), standing(15) + 200))
    assert [track.person for track in filtered.recording.tracks] == [0, 1]
    assert [report.person for report in filtered.reports] == [0, 1]
    np.testing.assert_allclose(filtered.recording.tracks[1].keypoints, standing(15) + 200, atol=1e-9)


@pytest.mark.parametrize("smoothing", ["butterworth", "one_euro"])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 30])
def test_empty_single_and_all_missing(standing, make_recording, num_frames, smoothing):
    seen, unseen = standing(num_frames), np.full((num_frames, 16, 2), np.nan)
    filtered = filter_recording(make_recording(seen, unseen), min_score=0.1, smoothing=smoothing).recording
    np.testing.assert_allclose(filtered.tracks[0].keypoints, seen, atol=1e-9)
    assert np.isnan(filtered.tracks[1].keypoints).all()
    assert not filtered.tracks[1].scores.any()


def test_nobody():
    recording = Recording(seconds=np.arange(3.0), frames=np.arange(3), tracks=(), image_size=(640, 480))
    filtered = filter_recording(recording)
    assert filtered.recording.tracks == ()
    assert filtered.reports == ()


def test_unknown_smoothing(damaged):
    with pytest.raises(ValueError, match="no smoothing 'kalman': there are butterworth, one_euro"):
        filter_recording(damaged, smoothing="kalman")
