"""Read the JSON lines of ``efficientpose predict``: one line a frame, with boxes and keypoints in MPII order."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.recording import Recording, Track
from efficientpose.skeleton import KEYPOINT_NAMES, LIMBS


class _Line(NamedTuple):
    frame: int
    seconds: float
    keypoints: NDArray[np.float64]  # (P, K, 3) x, y, score
    boxes: NDArray[np.float64]  # (P, 4)


def read_lines(path: Path, text: str, *, image_size: tuple[int, int]) -> Recording:
    """Read a recording; the n-th instance of a frame is person n.

    Args:
        path: Where the text is from, for messages.
        text: The file's lines.
        image_size: (width, height) of the video.

    Raises:
        ValueError: If a line is not as ``predict`` writes it, or there is none.
    """
    lines = [_line(f"{path}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError(f"{path}: there is no frame in it")
    num_people = max(len(line.boxes) for line in lines)
    names, limbs = _skeleton(f"{path}:1", text)
    keypoints = np.full((num_people, len(lines), len(names), 3), np.nan)
    boxes = np.full((num_people, len(lines), 4), np.nan)
    for row, line in enumerate(lines):
        if len(line.boxes) and line.keypoints.shape[1] != len(names):
            raise ValueError(f"{path}: frame {line.frame} has {line.keypoints.shape[1]} keypoints, not {len(names)}")
        keypoints[: len(line.boxes), row] = line.keypoints
        boxes[: len(line.boxes), row] = line.boxes
    tracks = tuple(
        Track(
            person=person,
            keypoints=keypoints[person, ..., :2],
            scores=np.nan_to_num(keypoints[person, ..., 2]),
            boxes=boxes[person],
        )
        for person in range(num_people)
    )
    try:
        return Recording(
            seconds=np.array([line.seconds for line in lines]),
            frames=np.array([line.frame for line in lines], dtype=np.int64),
            tracks=tracks,
            image_size=image_size,
            source=path.stem.removesuffix("_pose"),
            keypoint_names=names,
            limbs=limbs,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _skeleton(where: str, text: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Return keypoints and limbs, which the lines of other skeletons than MPII's name."""
    first = json.loads(next(line for line in text.splitlines() if line.strip()))
    if "keypoint_names" not in first:
        return KEYPOINT_NAMES, LIMBS
    try:
        names = tuple(str(name) for name in first["keypoint_names"])
        limbs = tuple((int(proximal), int(distal)) for proximal, distal in first["skeleton"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: keypoint_names and skeleton are not as predict writes them: {error!r}") from error
    return names, limbs


def _line(where: str, line: str) -> _Line:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON, {error}") from error
    missing = {"frame", "seconds", "instances"} - set(content if isinstance(content, dict) else ())
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(sorted(missing))}, which predict's lines have")
    names = content.get("keypoint_names", KEYPOINT_NAMES)
    num_keypoints = len(names) if isinstance(names, list | tuple) else len(KEYPOINT_NAMES)
    try:
        instances = content["instances"]
        keypoints = np.array([one["keypoints"] for one in instances], dtype=np.float64)
        boxes = np.array([one["bbox"] for one in instances], dtype=np.float64)
        return _Line(
            frame=int(content["frame"]),
            seconds=float(content["seconds"]),
            keypoints=keypoints.reshape(len(instances), num_keypoints, 3),
            boxes=boxes.reshape(len(instances), 4),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: every instance has a bbox of 4 numbers and {num_keypoints} keypoints [x, y, score]; {error!r}"
        ) from error
