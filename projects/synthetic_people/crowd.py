"""A synthetic image of several people with the ground truth of all of them, and its annotations in COCO's layout."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from efficientpose.datasets.annotation_files import COCO_CATEGORY_ID
from synthetic_people.background import sample_background
from synthetic_people.camera import SUPERSAMPLING, Camera, degrade, paint_figure, sample_light
from synthetic_people.scene import inside, sample_person

MIN_WIDTH_PER_STATURE: Final = 0.8
BOX_MARGIN: Final = 0.1

AREA_OF_BOX: Final = 0.53  # share of a box that a person fills; MMPose's value where there is no outline
VISIBLE: Final = 2


@dataclass(frozen=True, kw_only=True)
class PeopleScene:
    """An image of several people; coordinates are 0-based pixel centres."""

    image: np.ndarray  # (H, W, 3) uint8, BGR
    keypoints: np.ndarray  # (N, K, 2); meaningless where not labelled
    labelled: np.ndarray  # (N, K) bool: known and inside the image; in a composed scene, not under another crop
    boxes: np.ndarray  # (N, 4) x1, y1, x2, y2 around all of a person's known keypoints


def sample_crowd(
    rng: np.random.Generator, *, num_people: int, stature: float, spacing: float, size_spread: float = 1.25
) -> PeopleScene:
    """Sample people beside one another, the larger ones in front.

    Standing heights have the geometric mean ``stature``, pixels, and differ from it by at most the factor
    ``size_spread``. ``spacing`` is from person to person, in statures; below about 0.5 they overlap.
    """
    statures = np.sort(stature * np.exp(rng.uniform(-1, 1, num_people) * np.log(size_spread)))
    width = round(stature * max(spacing * num_people + 0.4, MIN_WIDTH_PER_STATURE))
    image_shape = (round(1.5 * stature), width)
    background = sample_background(rng, image_shape=image_shape)
    canvas = cv2.resize(background, None, fx=SUPERSAMPLING, fy=SUPERSAMPLING, interpolation=cv2.INTER_LINEAR)
    light = sample_light(rng)
    elevation, distance = float(np.clip(rng.normal(9, 8), -10, 30)), float(rng.uniform(3, 9))
    places = (rng.permutation(num_people) - (num_people - 1) / 2) * spacing * stature + width / 2
    keypoints = []
    for place, height in zip(places, statures, strict=True):
        person = sample_person(rng)
        camera = Camera(
            target=person.middle,
            principal_point=np.array([place, image_shape[0] / 2]) + rng.uniform(-0.04, 0.04, 2) * stature,
            stature=float(height),
            distance=distance,
            elevation=elevation,
            roll=0.0,
        )
        paint_figure(canvas, person.figure, person.body, camera=camera, light=light)
        keypoints.append(camera.project(person.body.joints).points)
    points = np.stack(keypoints)
    image = cv2.resize(canvas, image_shape[::-1], interpolation=cv2.INTER_AREA)
    return PeopleScene(
        image=degrade(image, rng),
        keypoints=points,
        labelled=np.stack([inside(each, image_shape=image_shape) for each in points]),
        boxes=np.concatenate((points.min(axis=1), points.max(axis=1)), axis=1).astype(np.float32),
    )


def describe_people(scene: PeopleScene) -> list[dict[str, Any]]:
    """Return COCO annotations, without ids, of the people with a keypoint in the image.

    COCO's visibility is 2 where a keypoint is in the image, hidden or not, and 0 elsewhere.
    """
    height, width = scene.image.shape[:2]
    people = []
    for keypoints, labelled, box in zip(scene.keypoints, scene.labelled, scene.boxes, strict=True):
        margin = BOX_MARGIN * float((box[2:] - box[:2]).max())
        low = np.maximum(box[:2] - margin, 0)
        high = np.minimum(box[2:] + margin, (width, height))
        if not labelled.any() or (high - low).min() < 1:
            continue
        points = np.column_stack((np.where(labelled[:, None], keypoints, 0), VISIBLE * labelled))
        people.append(
            {
                "keypoints": [round(float(value), 2) for value in points.ravel()],
                "num_keypoints": int(labelled.sum()),
                "bbox": [round(float(value), 2) for value in (*low, *(high - low))],
                "area": round(AREA_OF_BOX * float(np.prod(high - low)), 2),
                "iscrowd": 0,
                "category_id": COCO_CATEGORY_ID,
            }
        )
    return people
