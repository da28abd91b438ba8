"""Numbers stay with people: crossings, gaps, newcomers, noise; and how often they change on made-up clips."""

from dataclasses import replace

import numpy as np
import pytest
from track_switches import STANDING, ClipPlan, count_switches, make_clip, number_by_nearest_box, number_by_tracking

from efficientpose.core.poses import Pose
from efficientpose.core.similarity import box_overlaps, boxes_around, keypoint_spreads, oks
from efficientpose.movement.recording import PeopleFrame, Recording, Track
from efficientpose.movement.tracking import Tracker, TrackingRule, follow_people


def make_pose(x, *, y=200.0, stature=200.0, score=0.8, missing=()):
    points = stature * STANDING + (x, y)
    scores = np.full(16, score)
    scores[list(missing)] = 0
    points[list(missing)] = 0
    half = np.array((0.2, 0.55)) * stature
    return Pose(
        bbox=np.array([x, y, x, y]) + np.tile(half, 2) * (-1, -1, 1, 1), keypoints=np.column_stack((points, scores))
    )


def make_frames(*people, frame_rate=25.0):
    """Each person is a list of x, None where unseen."""
    return [
        PeopleFrame(number, number / frame_rate, tuple(make_pose(x) for x in places if x is not None))
        for number, places in enumerate(zip(*people, strict=True))
    ]


def track(frames, **settings):
    return follow_people(Recording.from_frames(frames, image_size=(1280, 720)), rule=TrackingRule(**settings))


def middles(recording):
    return [track.keypoints[:, 7, 0] for track in recording.tracks]


def test_numbers_follow_people_who_pass_one_another():
    right, left = np.linspace(100, 500, 50), np.linspace(500, 100, 50)
    recording = track(make_frames(right, left))
    assert [each.person for each in recording.tracks] == [0, 1]
    np.testing.assert_allclose(middles(recording), [right, left])


def test_velocity_carries_people_through_an_occlusion():
    """The one behind is unseen for half a second while they pass; nearest boxes swap or lose them."""
    right, left = np.linspace(100, 700, 75).tolist(), np.linspace(700, 100, 75).tolist()
    hidden = [None if 31 <= number < 44 else x for number, x in enumerate(left)]
    recording = track(make_frames(right, hidden))
    assert len(recording.tracks) == 2
    expected = np.array([np.nan if x is None else x for x in hidden])
    np.testing.assert_allclose(middles(recording), [right, expected])
    assert recording.tracks[1].is_seen.sum() == 62
    assert np.isnan(recording.tracks[1].boxes[35]).all()


def test_somebody_gone_for_longer_is_new():
    places = [100.0] * 10 + [None] * 30 + [100.0] * 10
    frames = make_frames(places)
    assert len(track(frames, max_gap_seconds=1.3).tracks) == 1
    recording = track(frames, max_gap_seconds=1.0)
    assert [each.is_seen.nonzero()[0].tolist() for each in recording.tracks] == [list(range(10)), list(range(40, 50))]


def test_a_moment_is_noise():
    recording = track(make_frames([100.0] * 20, [None] * 9 + [600.0] * 3 + [None] * 8))
    assert [each.person for each in recording.tracks] == [0]
    assert len(track(make_frames([100.0] * 20, [None] * 9 + [600.0] * 6 + [None] * 5)).tracks) == 2


def test_the_unsure_do_not_start_but_go_on():
    tracker = Tracker()
    assert tracker.update([make_pose(100, score=0.1)], seconds=0.0) == (-1,)
    assert tracker.update([make_pose(100)], seconds=0.1) == (0,)
    assert tracker.update([make_pose(101, score=0.1)], seconds=0.2) == (0,)


def test_people_listed_in_changing_order_are_told_apart():
    """Two walk to the right, 300 pixels apart; from the tenth frame on the frames list them the other way round."""
    people = [[make_pose(start + 2 * n) for start in (100, 400)] for n in range(20)]
    frames = [PeopleFrame(n, n / 25, tuple(poses[:: 1 if n < 10 else -1])) for n, poses in enumerate(people)]
    listed = Recording.from_frames(frames, image_size=(640, 480), source="walk.mp4", stream_rate=25.0)
    followed = follow_people(listed)
    for track, person in zip(followed.tracks, (0, 1), strict=True):
        expected = np.stack([poses[person].keypoints for poses in people])
        np.testing.assert_array_equal(np.dstack((track.keypoints, track.scores)), expected)
        np.testing.assert_array_equal(track.boxes, [poses[person].bbox for poses in people])
    assert (followed.source, followed.image_size, followed.stream_rate) == ("walk.mp4", (640, 480), 25.0)


def test_following_is_linear_in_frames():
    """Eight times the frames read at most about eight times the values: whole tracks are not read in each frame."""

    class CountingTrack(Track):
        @property
        def is_seen(self):
            reads.append(len(self.scores))
            return super().is_seen

    for num_frames in (50, 400):
        reads = []
        listed = Recording.from_frames(make_frames(np.linspace(100, 500, num_frames)), image_size=(1280, 720))
        tracks = tuple(CountingTrack(**vars(track)) for track in listed.tracks)
        assert len(follow_people(replace(listed, tracks=tracks)).tracks) == 1
        assert sum(reads) <= 2 * num_frames


def test_optimal_not_greedy():
    """Both have gone 16 pixels to the right; the nearest pair, 14 apart, is two different people."""
    before, behind = (make_pose(100), make_pose(130)), (make_pose(116), make_pose(146))
    frames = [PeopleFrame(0, 0.0, before), PeopleFrame(1, 0.04, behind)]
    assert number_by_tracking(frames) == [(0, 1), (0, 1)]
    assert number_by_nearest_box(frames) == [(0, 1), (1, 0)]


def test_missing_keypoints_stay_out():
    frames = [PeopleFrame(n, n / 10, (make_pose(100 + n, missing=(0, 5) if n == 2 else ()),)) for n in range(5)]
    (person,) = track(frames).tracks
    assert np.isnan(person.keypoints[2, [0, 5]]).all()
    assert person.scores[2, [0, 5]].tolist() == [0, 0]
    assert np.isfinite(person.keypoints[3]).all()


def test_nobody_and_no_frames():
    assert track([]).tracks == ()
    recording = track([PeopleFrame(0, 0.0, ()), PeopleFrame(1, 0.1, ())])
    assert recording.tracks == ()
    assert recording.frames.tolist() == [0, 1]


def test_time_goes_on():
    tracker = Tracker()
    tracker.update([], seconds=0.0)
    with pytest.raises(ValueError, match=r"in order: 0\.0 s follows 0\.0 s"):
        tracker.update([], seconds=0.0)
    with pytest.raises(ValueError, match=r"the others 0 or more, got .*max_gap_seconds=-1"):
        TrackingRule(max_gap_seconds=-1)


def test_oks_by_hand():
    first = np.array([[[0.0, 0.0], [10.0, 0.0], [np.nan, np.nan]]])
    second = np.array([[[3.0, 4.0], [10.0, 0.0], [5.0, 5.0]]])
    # Distance 5 at a spread of 0.1 and an area of 100: exp(−25 / (2 · 100 · 0.2²)).
    alike = oks(first, second, areas=np.array([[100.0]]), spreads=np.full(3, 0.1))
    assert alike[0, 0] == pytest.approx((np.exp(-25 / 8) + 1) / 2)
    assert oks(first, second, areas=np.array([[100.0]]), spreads=np.full(3, 0.1), min_common=3)[0, 0] == 0
    assert keypoint_spreads()[[0, 15]].tolist() == [0.089, 0.062]


def test_boxes_by_hand():
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [np.nan] * 4])
    assert box_overlaps(boxes, np.array([[5.0, 0.0, 15.0, 10.0]])).ravel().tolist() == [pytest.approx(1 / 3), 0]
    around = boxes_around(np.array([[[1.0, 2.0], [np.nan, 9.0], [4.0, 0.0]], [[np.nan, np.nan]] * 3]))
    np.testing.assert_allclose(around, [[1, 0, 4, 2], [np.nan] * 4])


def test_switches_by_hand():
    owners = [(0, 1), (1, 0), (0,), (1, 0)]
    assert count_switches(owners, [(5, 6), (6, 5), (5,), (6, 5)]) == 0
    assert count_switches(owners, [(5, 6), (5, 6), (5,), (6, 5)]) == 4
    assert count_switches(owners, [(5, 6), (-1, 5), (5,), (7, 5)]) == 1


def test_fewer_switches_than_by_the_nearest_box():
    clips = [make_clip(np.random.default_rng(seed), ClipPlan(num_people=4, seconds=8)) for seed in range(3)]
    tracked, nearest = 0, 0
    for clip in clips:
        tracked += count_switches(clip.owners, number_by_tracking(clip.frames))
        nearest += count_switches(clip.owners, number_by_nearest_box(clip.frames, max_gap_seconds=2.0))
    assert nearest >= 5
    assert tracked < nearest / 2


def test_a_clip_is_what_its_plan_says():
    clip = make_clip(np.random.default_rng(0), ClipPlan(num_people=3, seconds=4, noise=0, hidden_from=0.3))
    assert len(clip.frames) == len(clip.owners) == 100
    assert all(len(set(people)) == len(people) for people in clip.owners)
    seen = np.array([len(people) for people in clip.owners])
    assert 1 <= seen.min() < 3
    assert seen.max() == 3
    with pytest.raises(ValueError, match="a clip needs people"):
        ClipPlan(num_people=0)
