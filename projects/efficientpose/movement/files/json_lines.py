"""Read the JSON lines of ``efficientpose predict``: one line for each frame, with boxes and keypoints."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.movement.recording import PeopleFrame, Recording

Limbs = tuple[tuple[int, int], ...]


def read_json_lines(path: Path, text: str, *, image_size: tuple[int, int]) -> Recording:
    """Read a recording; the n-th instance of a frame is person n.

    Args:
        path: Where the text is from, for messages.
        text: The file's lines.
        image_size: (width, height) of the video; (0, 0) takes what the lines say.

    Raises:
        ValueError: If a line is not as ``predict`` writes it, or there is none.
    """
    frames: list[PeopleFrame] = []
    names: tuple[str, ...] = KEYPOINT_NAMES
    limbs: Limbs = LIMBS
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        content = _parse(where, line)
        if not frames and "keypoint_names" in content:
            names, limbs = _skeleton(where, content)
        width, height = content.get("width"), content.get("height")
        if image_size == (0, 0) and isinstance(width, int) and isinstance(height, int):
            image_size = (width, height)
        frame = _frame(where, content, num_keypoints=len(names))
        if frames and (frame.number <= frames[-1].number or frame.seconds <= frames[-1].seconds):
            raise ValueError(
                f"{where}: frame {frame.number} at {frame.seconds:g} s follows frame {frames[-1].number} at "
                f"{frames[-1].seconds:g} s: frames and seconds must rise from line to line"
            )
        frames.append(frame)
    if not frames:
        raise ValueError(f"{path}: there is no frame in it")
    source = path.stem.removesuffix("_pose")
    return Recording.from_frames(frames, image_size=image_size, source=source, keypoint_names=names, limbs=limbs)


def _parse(where: str, line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON, {error}") from error
    missing = {"frame", "seconds", "instances"} - set(content if isinstance(content, dict) else ())
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(sorted(missing))}, which predict's lines have")
    return dict(content)


def _skeleton(where: str, content: dict[str, Any]) -> tuple[tuple[str, ...], Limbs]:
    """Return keypoints and limbs, which the lines of other skeletons than MPII's name."""
    try:
        names = tuple(str(name) for name in content["keypoint_names"])
        limbs = tuple((int(proximal), int(distal)) for proximal, distal in content["skeleton"])
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


def _frame(where: str, content: dict[str, Any], *, num_keypoints: int) -> PeopleFrame:
    number, seconds, instances = content["frame"], content["seconds"], content["instances"]
    try:
        is_time = int(number) == number and math.isfinite(float(seconds))
    except (OverflowError, TypeError, ValueError):
        is_time = False
    if not is_time:
        raise ValueError(f"{where}: frame must be a whole number and seconds a number, got {number!r} and {seconds!r}")
    try:
        keypoints = [np.array(one["keypoints"], np.float64).reshape(num_keypoints, 3) for one in instances]
        boxes = [np.array(one["bbox"], np.float64).reshape(4) for one in instances]
        peaks = [
            _peaks(points, one["other_peaks"]) if "other_peaks" in one else None
            for one, points in zip(instances, keypoints, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: every instance has a bbox of 4 numbers and {num_keypoints} keypoints [x, y, score]; {error!r}"
        ) from error
    poses = tuple(Pose(*one) for one in zip(boxes, keypoints, peaks, strict=True))
    return PeopleFrame(int(number), float(seconds), poses)


def _peaks(keypoints: np.ndarray, others: list[list[list[float]]]) -> np.ndarray:
    """Return (K, M, 3) peaks: a keypoint (K, 3) and the others of its heatmap, of which there may be different many."""
    peaks = np.full((len(keypoints), 1 + max(map(len, others), default=0), 3), np.nan)
    peaks[:, 0] = keypoints
    for place, further in zip(peaks, others, strict=True):
        place[1 : 1 + len(further)] = np.array(further, np.float64).reshape(-1, 3)
    return peaks
