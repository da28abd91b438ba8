"""COCO keypoint results, and beside them the images and keypoint names that pycocotools loads them with.

``<name>.json`` is the list of results: image_id (the frame's number), category_id, keypoints [x, y, score] * K, score
(mean of the found keypoints), bbox [x, y, width, height] and track_id (the person). ``<name>_images.json`` has one
image for each frame, with its ``timestamp`` in seconds, and the category with keypoint names and skeleton:
``COCO("<name>_images.json").loadRes("<name>.json")``. A missing keypoint is 0, 0 with score 0. pycocotools cannot load
an empty list of results.
"""

from pathlib import Path
from typing import Any, Final

from efficientpose.movement.files.frames import PersonInFrame, people_in
from efficientpose.movement.files.skeletons import COCO_17, place_some
from efficientpose.movement.files.text import PIXEL_DECIMALS, SECONDS_DECIMALS, write_json
from efficientpose.movement.recording import Recording

CATEGORY: Final = 1  # COCO's number of person


def write_coco(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write results with the recording's own keypoints in its own order."""
    return _write(recording, target, tuple(recording.keypoint_names))


def write_coco_17(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write results in the order of COCO's 17 keypoints.

    Of the 16 MPII keypoints the twelve of arms and legs are among them; nose, eyes and ears stay 0, 0, 0.

    Raises:
        ValueError: If the recording has none of them.
    """
    return _write(recording, target, COCO_17)


def _write(recording: Recording, target: Path, keypoint_names: tuple[str, ...]) -> tuple[Path, ...]:
    places = place_some(recording.keypoint_names, keypoint_names)
    results = [
        {"image_id": frame} | _result(person, places)
        for row, frame in enumerate(recording.frames.tolist())
        for person in people_in(recording, row)
    ]
    images = target.with_name(f"{target.stem}_images.json")
    write_json(images, _images(recording, keypoint_names, places))
    write_json(target, results)
    return (target, images)


def _result(person: PersonInFrame, places: tuple[int | None, ...]) -> dict[str, Any]:
    left, top, right, bottom = person.box.tolist()
    return {
        "category_id": CATEGORY,
        "keypoints": [value for keypoint in person.placed(places) for value in keypoint],
        "score": person.score,
        "bbox": [left, top, round(right - left, PIXEL_DECIMALS), round(bottom - top, PIXEL_DECIMALS)],
        "track_id": person.person,
    }


def _images(recording: Recording, keypoint_names: tuple[str, ...], places: tuple[int | None, ...]) -> dict[str, Any]:
    width, height = recording.image_size
    size, times = {"width": width, "height": height}, recording.seconds.round(SECONDS_DECIMALS).tolist()
    images = [
        {"id": frame, "file_name": f"{recording.source}#{frame}", **size, "timestamp": seconds}
        for frame, seconds in zip(recording.frames.tolist(), times, strict=True)
    ]
    numbers = {index: number for number, index in enumerate(places, 1) if index is not None}
    skeleton = [[numbers[a], numbers[b]] for a, b in recording.limbs if a in numbers and b in numbers]
    category = {"id": CATEGORY, "name": "person", "supercategory": "person", "keypoints": list(keypoint_names)}
    return {
        "info": {"description": recording.source},
        "licenses": [],
        "images": images,
        "categories": [category | {"skeleton": skeleton}],
        "annotations": [],
    }
