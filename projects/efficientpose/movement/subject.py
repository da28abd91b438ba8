"""The one person that a measurement is about, among everybody in a recording."""

import numpy as np

from efficientpose.movement.recording import Recording, Track


def choose_by_number(recording: Recording, person: int) -> Track:
    """Return somebody by their number.

    Raises:
        ValueError: If there is no such person.
    """
    for track in recording.tracks:
        if track.person == person:
            return track
    raise ValueError(f"{_name(recording)} has no person {person}: there are {_numbers(recording)}")


def choose_largest(recording: Recording) -> Track:
    """Return who fills most of the picture: the box's area, averaged over all frames, 0 where the person is unseen.

    Raises:
        ValueError: If there is nobody.
    """
    if not recording.tracks:
        raise ValueError(f"{_name(recording)} has nobody in it")
    return max(recording.tracks, key=_mean_area)


def choose_at(recording: Recording, *, x: float, y: float, frame: int) -> Track:
    """Return who was clicked: of those whose box holds the point, the one with the nearest keypoint.

    Args:
        recording: Everybody.
        x: In the picture's pixel-centre indices.
        y: The same.
        frame: Number of the frame in the video, from 0.

    Raises:
        ValueError: If there is no such frame, or nobody at that place in it.
    """
    places = np.flatnonzero(recording.frames == frame)
    if not len(places):
        present = f"{recording.frames[0]} to {recording.frames[-1]}" if len(recording.frames) else "none"
        raise ValueError(f"{_name(recording)} has no frame {frame}: its frames are {present}")
    index, point = int(places[0]), np.array((x, y))
    distances = {}
    for track in recording.tracks:
        x1, y1, x2, y2 = track.boxes[index]
        if x1 <= x <= x2 and y1 <= y <= y2:
            away = np.linalg.norm(track.keypoints[index] - point, axis=1)
            distances[track.person] = float(np.nanmin(away)) if np.isfinite(away).any() else np.inf
    if not distances:
        seen = [track for track in recording.tracks if np.isfinite(track.boxes[index]).all()]
        there = "; ".join(
            f"person {track.person} in x1, y1, x2, y2 {np.round(track.boxes[index]).astype(int).tolist()}"
            for track in seen
        )
        raise ValueError(f"nobody is at x {x:g}, y {y:g} in frame {frame} of {_name(recording)}: {there or 'no one'}")
    return choose_by_number(recording, min(distances, key=lambda person: distances[person]))


def _mean_area(track: Track) -> float:
    boxes = track.boxes
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return float(np.nan_to_num(areas).mean()) if len(areas) else 0.0


def _name(recording: Recording) -> str:
    return recording.source or "the recording"


def _numbers(recording: Recording) -> str:
    return ", ".join(str(track.person) for track in recording.tracks) or "none"
