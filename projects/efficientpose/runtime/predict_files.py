"""Predict image files: images in, overlays and ``predictions.json`` out; no bad file stops the rest."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from efficientpose.core.drawing import draw_heatmaps, draw_pafs, draw_poses
from efficientpose.core.images import ImageError, read_image, write_image
from efficientpose.core.poses import Estimator, ImagePoses, Pose, skeleton_of, write_predictions

PREDICTIONS_FILE = "predictions.json"
BoxList = Sequence[Sequence[float]]


@dataclass
class JobResult:
    """What a job wrote."""

    images: list[ImagePoses] = field(default_factory=list)  # every image that could be used
    drawn: list[Path] = field(default_factory=list)  # overlays and maps, in order
    errors: list[str] = field(default_factory=list)  # one for every file that could not be used


def read_boxes(path: Path) -> dict[str, BoxList]:
    """Read people's boxes: a JSON object, file name → list of [x1, y1, x2, y2] in image pixels.

    Raises:
        ValueError: If the file cannot be read or holds something else.
    """
    try:
        boxes: dict[str, BoxList] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(boxes, dict) or not all(_are_boxes(people) for people in boxes.values()):
        raise ValueError(f'{path}: boxes look like {{"photo.jpg": [[x1, y1, x2, y2], ...], ...}}')
    return boxes


def _are_boxes(people: object) -> bool:
    return isinstance(people, list) and all(
        isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)
        for box in people
    )


def find_boxes(image: Path, boxes: Mapping[str, BoxList] | None) -> BoxList | None:
    """Return the boxes of an image or video by its path as given, else by its file name; None if none are given at all.

    Raises:
        ImageError: If boxes are given, but not for this one.
    """
    if boxes is None:
        return None
    for key in (str(image), image.name):
        if key in boxes:
            return boxes[key]
    raise ImageError(f"{image}: no boxes are given for it")


def predict_files(
    estimator: Estimator,
    images: Sequence[Path],
    folder: Path,
    *,
    boxes: Mapping[str, BoxList] | None = None,
    draw_maps: frozenset[str] = frozenset(),
    on_image_done: Callable[[], None] = lambda: None,
) -> JobResult:
    """Predict images one by one; write everything found so far even if interrupted.

    Args:
        estimator: The network.
        images: As :func:`~efficientpose.core.images.find_images` lists them.
        folder: Where overlays and ``predictions.json`` go; it must exist.
        boxes: People's boxes by path or file name, none for an image without people; None takes every image as one
            person.
        draw_maps: Of "heatmaps" and "pafs", what is drawn besides the overlay.
        on_image_done: Called after each image.

    Raises:
        OSError: If a result cannot be written.
    """
    result = JobResult()
    skeleton = skeleton_of(estimator)
    taken: set[str] = set()
    try:
        for path in images:
            try:
                image = read_image(path)
                people = find_boxes(path, boxes)
                poses = () if people == [] else estimator.predict(image, people)
            except (ValueError, cv2.error, MemoryError) as error:
                message = str(error)
                result.errors.append(message if str(path) in message else f"{path}: {message}")
                continue
            finally:
                on_image_done()
            stem = free_stem(path.stem, taken)
            result.drawn.append(write_image(draw_poses(image, poses, skeleton=skeleton), folder / f"{stem}_pose.jpg"))
            height, width = image.shape[:2]
            result.images.append(ImagePoses(file=str(path), width=width, height=height, instances=poses))
            if draw_maps:
                result.drawn += _write_maps(estimator, image, poses, folder / stem, draw_maps)
    finally:
        write_predictions(result.images, folder / PREDICTIONS_FILE, model=estimator.name, skeleton=skeleton)
    return result


def free_stem(stem: str, taken: set[str]) -> str:
    """Return a name not in ``taken`` and add it: files of one name from different folders, or endings, stay apart."""
    number, free = 1, stem
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    taken.add(free)
    return free


def _write_maps(
    estimator: Estimator, image: np.ndarray, poses: Sequence[Pose], stem: Path, draw_maps: frozenset[str]
) -> list[Path]:
    written = []
    skeleton = skeleton_of(estimator)
    for number, pose in enumerate(poses, start=1):
        maps = estimator.predict_maps(image, pose.bbox.tolist())
        suffix = "" if len(poses) == 1 else f"_{number}"
        if "heatmaps" in draw_maps:
            drawing = draw_heatmaps(maps.crop, maps.heatmaps, skeleton=skeleton)
            written.append(write_image(drawing, stem.with_name(f"{stem.name}_heatmaps{suffix}.jpg")))
        if "pafs" in draw_maps and maps.pafs is not None:
            drawing = draw_pafs(maps.crop, maps.pafs)
            written.append(write_image(drawing, stem.with_name(f"{stem.name}_pafs{suffix}.jpg")))
    return written
