"""Steady identities for a recording whose people are numbered by their place in each frame, as predict writes them."""

import numpy as np

from efficientpose.movement.recording import Recording, Track
from efficientpose.movement.tracking import PeopleFrame, TrackingRule, track_people
from efficientpose.runtime.predictions import Pose


def follow_people(recording: Recording, *, rule: TrackingRule | None = None) -> Recording:
    """Number people anew, the same through the whole video.

    Args:
        recording: Unfiltered.
        rule: When a person is the same, new or lost.
    """
    frames = [
        PeopleFrame(
            number=int(number),
            seconds=float(seconds),
            poses=tuple(_pose(track, index) for track in recording.tracks if track.is_seen[index]),
        )
        for index, (number, seconds) in enumerate(zip(recording.frames, recording.seconds, strict=True))
    ]
    return track_people(
        frames,
        image_size=recording.image_size,
        source=recording.source,
        keypoint_names=recording.keypoint_names,
        limbs=recording.limbs,
        rule=rule,
    )


def _pose(track: Track, index: int) -> Pose:
    keypoints = np.concatenate((track.keypoints[index], track.scores[index][:, None]), axis=1)
    return Pose(bbox=track.boxes[index], keypoints=keypoints)
