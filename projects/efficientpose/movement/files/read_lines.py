"""Read the JSON lines of ``efficientpose predict``: one line a frame, with boxes and keypoints in MPII order."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.movement.files.layout import tight_boxes
from efficientpose.movement.recording import Recording, Track


class _Line(NamedTuple):
    where: str
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
    _check_order(lines)
    num_people = max(len(line.boxes) for line in lines)
    names, limbs = _skeleton(lines[0].where, text)
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
            scores=np.nan_to_num(keypoints[person, ..., 2], posinf=0, neginf=0),
            boxes=_known_boxes(boxes[person], keypoints[person, ..., :2]),
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


def _check_order(lines: list[_Line]) -> None:
    """Refuse lines that stand twice or in another order."""
    for before, line in pairwise(lines):
        if line.frame <= before.frame or not line.seconds > before.seconds:
            raise ValueError(
                f"{line.where}: frame {line.frame} at {line.seconds:g} s follows frame {before.frame} at "
                f"{before.seconds:g} s: frames and seconds must rise from line to line"
            )


def _known_boxes(boxes: NDArray[np.float64], keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (T, 4) boxes, the tight one around the keypoints where a box is not finite."""
    return np.where(np.isfinite(boxes).all(axis=1, keepdims=True), boxes, tight_boxes(keypoints))


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
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{where}: keypoint_names has {', '.join(twice)} twice: each keypoint needs a name of its own")
    if wrong := [limb for limb in limbs if limb[0] == limb[1] or not set(limb) <= set(range(len(names)))]:
        raise ValueError(
            f"{where}: skeleton has the limb {list(wrong[0])}, expected two different keypoints from 0 to "
            f"{len(names) - 1}"
        )
    return names, limbs


def _line(where: str, line: str) -> _Line:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON, {error}") from error
    missing = {"frame", "seconds", "instances"} - set(content if isinstance(content, dict) else ())
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(sorted(missing))}, which predict's lines have")
    frame, seconds = _time(where, content)
    names = content.get("keypoint_names", KEYPOINT_NAMES)
    num_keypoints = len(names) if isinstance(names, list | tuple) else len(KEYPOINT_NAMES)
    try:
        instances = content["instances"]
        keypoints = np.array([one["keypoints"] for one in instances], dtype=np.float64)
        boxes = np.array([one["bbox"] for one in instances], dtype=np.float64)
        return _Line(
            where=where,
            frame=frame,
            seconds=seconds,
            keypoints=keypoints.reshape(len(instances), num_keypoints, 3),
            boxes=boxes.reshape(len(instances), 4),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: every instance has a bbox of 4 numbers and {num_keypoints} keypoints [x, y, score]; {error!r}"
        ) from error


def _time(where: str, content: dict[str, Any]) -> tuple[int, float]:
    frame, seconds = content["frame"], content["seconds"]
    message = f"{where}: frame must be a whole number and seconds a number, got {frame!r} and {seconds!r}"
    try:
        number, time = int(frame), float(seconds)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(message) from error
    if number != frame:
        raise ValueError(message)
    return number, time
