"""Made-up people: tracks and recordings from a few numbers."""

import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.movement.recording import Recording, Track

STANDING = {
    "head_top": (100, 100),
    "upper_neck": (100, 150),
    "thorax": (100, 170),
    "pelvis": (100, 300),
    "right_shoulder": (80, 170),
    "left_shoulder": (120, 170),
    "right_elbow": (80, 230),
    "left_elbow": (120, 230),
    "right_wrist": (80, 280),
    "left_wrist": (120, 280),
    "right_hip": (85, 300),
    "left_hip": (115, 300),
    "right_knee": (85, 400),
    "left_knee": (115, 400),
    "right_ankle": (85, 500),
    "left_ankle": (115, 500),
}
"""Somebody who faces the camera, upright, arms hanging; 402 pixels from corner to corner of what the joints span."""


@pytest.fixture
def make_track():
    """A track from (T, K, 2) keypoints: scores are 0.9 where there is one."""

    def make(keypoints, *, person=0):
        keypoints = np.array(keypoints, dtype=np.float64)
        is_found = np.isfinite(keypoints).all(axis=2)
        boxes = np.full((len(keypoints), 4), np.nan)
        for box, points, found in zip(boxes, keypoints, is_found, strict=True):
            if found.any():
                box[:] = *points[found].min(axis=0), *points[found].max(axis=0)
        return Track(person=person, keypoints=keypoints, scores=np.where(is_found, 0.9, 0.0), boxes=boxes)

    return make


@pytest.fixture
def make_recording(make_track):
    """A recording from the keypoints of each person, at 25 frames a second unless times are given."""

    def make(*people, names=KEYPOINT_NAMES, seconds=None, num_frames=None):
        tracks = tuple(make_track(keypoints, person=number) for number, keypoints in enumerate(people))
        if num_frames is None:
            num_frames = len(people[0]) if people else 0
        seconds = np.arange(num_frames) / 25 if seconds is None else np.array(seconds, dtype=np.float64)
        return Recording(
            seconds=seconds,
            frames=np.arange(len(seconds)),
            tracks=tracks,
            image_size=(640, 600),
            keypoint_names=names,
        )

    return make


@pytest.fixture
def standing():
    """(T, 16, 2) of somebody who stands still; other places of keypoints by name."""

    def make(num_frames, names=KEYPOINT_NAMES, **places):
        keypoints = np.tile(np.array([STANDING[name] for name in names], dtype=np.float64), (num_frames, 1, 1))
        for name, place in places.items():
            keypoints[:, list(names).index(name)] = place
        return keypoints

    return make
