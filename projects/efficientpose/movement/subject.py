"""The one person that a measurement is about."""

import numpy as np

from efficientpose.core.similarity import box_areas
from efficientpose.movement.recording import Recording, Track


def choose_by_number(recording: Recording, person: int) -> Track:
    """Return a person by number.

    Raises:
        ValueError: If there is no such person.
    """
    for track in recording.tracks:
        if track.person == person:
            return track
    numbers = ", ".join(str(track.person) for track in recording.tracks) or "none"
    raise ValueError(f"{recording.name} has no person {person}: there are {numbers}")


def choose_largest(recording: Recording) -> Track:
    """Return who fills most of the image: the box's area, averaged over all frames, 0 where the person is unseen.

    Raises:
        ValueError: If there is nobody.
    """
    if not recording.tracks:
        raise ValueError(f"{recording.name} has nobody in it")
    return max(recording.tracks, key=lambda track: np.nan_to_num(box_areas(track.boxes)).sum())


def choose_at(recording: Recording, *, x: float, y: float, frame: int) -> Track:
    """Return who was clicked: of those whose box holds the point, the one with the nearest keypoint.

    The point is in the image's pixel-centre indices; the frame is its number in the video, from 0.

    Raises:
        ValueError: If there is no such frame, or nobody at that place in it.
    """
    places = np.flatnonzero(recording.frames == frame)
    if not len(places):
        present = f"{recording.frames[0]} to {recording.frames[-1]}" if len(recording.frames) else "none"
        raise ValueError(f"{recording.name} has no frame {frame}: its frames are {present}")
    index = int(places[0])
    seen = [track for track in recording.tracks if np.isfinite(track.boxes[index]).all()]
    around = [
        track for track in seen if (track.boxes[index, :2] <= (x, y)).all() and (track.boxes[index, 2:] >= (x, y)).all()
    ]
    if not around:
        there = "; ".join(
            f"person {track.person} in x1, y1, x2, y2 {np.round(track.boxes[index]).astype(int).tolist()}"
            for track in seen
        )
        raise ValueError(f"nobody is at x {x:g}, y {y:g} in frame {frame} of {recording.name}: {there or 'no one'}")
    return min(around, key=lambda track: _distance(track, index, (x, y)))


def _distance(track: Track, index: int, point: tuple[float, float]) -> float:
    """Return how far a person's nearest keypoint is in one frame, in pixels; infinite without keypoints."""
    distances = np.linalg.norm(track.keypoints[index] - point, axis=1)
    return float(np.where(np.isnan(distances), np.inf, distances).min())
