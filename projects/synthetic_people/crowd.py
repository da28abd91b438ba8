"""A synthetic picture of several people, with the truth about all of them."""

import cv2
import numpy as np

from synthetic_people.background import sample_background
from synthetic_people.camera import Camera
from synthetic_people.drawing import SUPERSAMPLING, paint_figure, sample_light
from synthetic_people.photograph import spoil
from synthetic_people.scene import inside, sample_person
from synthetic_people.scenes import PeopleScene

MIN_WIDTH_PER_STATURE = 0.8


def sample_crowd(
    rng: np.random.Generator, *, num_people: int, stature: float, spacing: float, size_spread: float = 1.25
) -> PeopleScene:
    """Draw people beside one another, the larger ones in front.

    Args:
        rng: Draws everything.
        num_people: One or more.
        stature: Middle standing height, pixels.
        spacing: From person to person, in statures; below about 0.5 they overlap.
        size_spread: A person is up to so many times larger or smaller.
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
        image=spoil(image, rng),
        keypoints=points,
        labelled=np.stack([inside(each, image_shape=image_shape) for each in points]),
        boxes=np.concatenate((points.min(axis=1), points.max(axis=1)), axis=1).astype(np.float32),
    )
