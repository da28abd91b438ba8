"""People who change places in a file get steady numbers."""

import numpy as np

from efficientpose.movement.recording import Recording, Track
from efficientpose.movement.tracking import follow_people

NUM_FRAMES = 20


def test_people_listed_in_changing_order_are_told_apart():
    """Two walk to the right, 200 pixels apart; from the tenth frame on the file lists them the other way round."""
    body = np.random.default_rng(0).uniform(0, 60, (16, 2))
    left, right = (start + np.arange(NUM_FRAMES)[:, None, None] * (2.0, 0.0) + body for start in (100, 300))
    is_late = (np.arange(NUM_FRAMES) >= 10)[:, None, None]
    places = [np.where(is_late, right, left), np.where(is_late, left, right)]
    tracks = tuple(
        Track(
            person=place,
            keypoints=keypoints,
            scores=np.ones((NUM_FRAMES, 16)),
            boxes=np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=1),
        )
        for place, keypoints in enumerate(places)
    )
    listed = Recording(
        seconds=np.arange(NUM_FRAMES) / 25,
        frames=np.arange(NUM_FRAMES),
        tracks=tracks,
        image_size=(640, 480),
        source="walk.mp4",
    )
    followed = follow_people(listed)
    assert len(followed.tracks) == 2
    np.testing.assert_array_equal(followed.tracks[0].keypoints, left)
    np.testing.assert_array_equal(followed.tracks[1].keypoints, right)
    np.testing.assert_array_equal(followed.tracks[0].scores, 1)
    assert (followed.source, followed.image_size) == ("walk.mp4", (640, 480))
