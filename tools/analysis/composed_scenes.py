"""Scenes of several people with known keypoints, composed from photos of one person each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from synthetic_people.crowd import PeopleScene

BACKGROUND: Final = 112

CROP_MARGIN: Final = 0.2  # margin of a person's crop on every side, per the longer side of the keypoints' box


@dataclass(frozen=True, kw_only=True)
class PersonPhoto:
    """One person, cut from a photo."""

    image: np.ndarray  # (h, w, 3) uint8, BGR
    keypoints: np.ndarray  # (K, 2), 0-based pixel centres of the image
    labelled: np.ndarray  # (K,) bool

    @property
    def size(self) -> float:
        """Longer side of the box around the labelled keypoints, pixels."""
        return float(np.ptp(self.keypoints[self.labelled], axis=0).max())


def cut_person(image: np.ndarray, keypoints: np.ndarray, labelled: np.ndarray) -> PersonPhoto:
    """Cut a person out of an image (H, W, 3) uint8, BGR; keypoints (K, 2) are 0-based pixel centres, labelled (K,)."""
    known = keypoints[labelled]
    if len(known) < 2 or np.ptp(known, axis=0).max() < 1:
        raise ValueError(f"{len(known)} labelled keypoints do not span a person")
    margin = CROP_MARGIN * np.ptp(known, axis=0).max()
    low = np.maximum(np.floor(known.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(known.max(axis=0) + margin).astype(int) + 1, image.shape[1::-1])
    if (high - low).min() < 2:
        raise ValueError("the labelled keypoints lie outside the photo")
    return PersonPhoto(image=image[low[1] : high[1], low[0] : high[0]], keypoints=keypoints - low, labelled=labelled)


def resize_person(person: PersonPhoto, *, size: float) -> PersonPhoto:
    """Scale a person so that the box around the labelled keypoints is ``size`` pixels on its longer side."""
    old = np.array(person.image.shape[1::-1])
    new = np.maximum(np.round(old * size / person.size).astype(int), 2)
    interpolation = cv2.INTER_AREA if new[0] < old[0] else cv2.INTER_LINEAR
    resized = cv2.resize(person.image, new.tolist(), interpolation=interpolation)
    return PersonPhoto(image=resized, keypoints=(person.keypoints + 0.5) * new / old - 0.5, labelled=person.labelled)


def lay_out(num_people: int, *, num_columns: int, pitch: tuple[float, float]) -> np.ndarray:
    """Return a grid of places (N, 2), row by row, ``pitch`` pixels apart in x and y, half a pitch from the edges."""
    rows, columns = np.divmod(np.arange(num_people), num_columns)
    return (np.stack((columns, rows), axis=1) + 0.5) * np.array(pitch)


def compose(people: Sequence[PersonPhoto], middles: np.ndarray, *, image_size: tuple[int, int]) -> PeopleScene:
    """Paste N people in their final size into one image, each over those before; ``middles`` (N, 2) of their crops."""
    width, height = image_size
    canvas = np.full((height, width, 3), BACKGROUND, np.uint8)
    keypoints = np.stack([person.keypoints for person in people])
    labelled = np.stack([person.labelled for person in people])
    boxes = np.empty((len(people), 4), np.float32)
    for index, (person, middle) in enumerate(zip(people, middles, strict=True)):
        crop_size = np.array(person.image.shape[1::-1])
        corner = np.round(middle - crop_size / 2).astype(int)
        low, high = np.maximum(corner, 0), np.minimum(corner + crop_size, image_size)
        if (high > low).all():
            inside = person.image[low[1] - corner[1] : high[1] - corner[1], low[0] - corner[0] : high[0] - corner[0]]
            canvas[low[1] : high[1], low[0] : high[0]] = inside
        keypoints[index] += corner
        known = keypoints[index, person.labelled]
        boxes[index] = (*known.min(axis=0), *known.max(axis=0))
        labelled[index] &= _inside(keypoints[index], np.zeros(2), np.array(image_size))
        labelled[:index] &= ~_inside(keypoints[:index], low, high)
    return PeopleScene(image=canvas, keypoints=keypoints, labelled=labelled, boxes=boxes)


def _inside(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return which points (..., 2) lie on the pixels from ``low`` to below ``high``."""
    return np.all((points >= low - 0.5) & (points < high - 0.5), axis=-1)


def compose_at_random(
    rng: np.random.Generator,
    people: Sequence[PersonPhoto],
    *,
    size: float,
    spacing: float,
    size_spread: float = 1.25,
    num_columns: int = 4,
) -> PeopleScene:
    """Paste people in rows, of different sizes, into an image that fits them.

    ``size`` is the geometric mean of the people's sizes, pixels, and ``size_spread`` the largest factor to it;
    ``spacing`` is from person to person, in sizes: below about 1 they overlap.
    """
    sizes = size * np.exp(rng.uniform(-1, 1, len(people)) * np.log(size_spread))
    placed = [resize_person(person, size=each) for person, each in zip(people, sizes, strict=True)]
    columns = min(num_columns, len(people))
    pitch = (size * spacing, size * max(spacing, 1.0))
    middles = lay_out(len(people), num_columns=columns, pitch=pitch) + size * 0.25
    middles += rng.uniform(-0.05, 0.05, middles.shape) * size
    extent = middles.max(axis=0) + np.array(pitch) / 2 + size * 0.25
    width, height = np.ceil(extent).astype(int).tolist()
    return compose(placed, middles, image_size=(width, height))
