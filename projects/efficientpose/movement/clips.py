"""Made-up clips of people who walk past one another, with the truth about who is who; poses alone, no pictures."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.movement.tracking import PeopleFrame
from efficientpose.runtime.predictions import Pose

Floats = NDArray[np.float64]

STANDING: Final = np.array(
    [
        (-0.06, 0.48), (-0.06, 0.24), (-0.05, 0.02), (0.05, 0.02), (0.06, 0.24), (0.06, 0.48), (0.0, 0.02),
        (0.0, -0.24), (0.0, -0.33), (0.0, -0.5), (-0.14, 0.02), (-0.13, -0.12), (-0.1, -0.29), (0.1, -0.29),
        (0.13, -0.12), (0.14, 0.02),
    ]
)  # fmt: skip
"""A standing body in the order of :mod:`efficientpose.skeleton`, (16, 2); its middle is 0, its height 1, y down."""

_SWING: Final = np.array([0.12, 0.06, 0, 0, -0.06, -0.12, 0, 0, 0, 0, -0.1, -0.04, 0, 0, 0.04, 0.1])


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """What to make.

    Attributes:
        num_people: Who walk to and fro through a picture of 1280 × 720 pixels.
        seconds: Length.
        frame_rate: Frames a second.
        noise: Standard deviation of a keypoint, statures.
        miss_rate: Share of poses that are missed for no reason.
        keypoint_miss_rate: Share of keypoints that are missed.
        hidden_from: A person is not found while others, nearer, cover more than this part of the box.

    Raises:
        ValueError: If there is nobody, or no time.
    """

    num_people: int = 4
    seconds: float = 30.0
    frame_rate: float = 25.0
    noise: float = 0.01
    miss_rate: float = 0.02
    keypoint_miss_rate: float = 0.05
    hidden_from: float = 0.5

    def __post_init__(self) -> None:
        if self.num_people < 1 or self.seconds <= 0 or self.frame_rate <= 0:
            raise ValueError(
                "a clip needs people, seconds and a frame rate, got "
                f"{self.num_people}, {self.seconds} and {self.frame_rate}"
            )


class Clip(NamedTuple):
    """What an estimator finds, and who it is.

    Attributes:
        frames: In order.
        owners: For each frame the true person of each pose, from 0.
    """

    frames: tuple[PeopleFrame, ...]
    owners: tuple[tuple[int, ...], ...]


def make_clip(rng: np.random.Generator, plan: ClipPlan) -> Clip:
    """Draw people who walk to and fro at their own speeds, each turning at a place of their own.

    Someone nearer the camera stands lower in the picture and covers those behind. Poses come in no order.
    """
    times = np.arange(round(plan.seconds * plan.frame_rate)) / plan.frame_rate
    statures = rng.uniform(160, 260, plan.num_people)
    centres = np.stack([_walk(rng, times, stature) for stature in statures], axis=1)
    strides = rng.uniform(1.4, 2.2, plan.num_people)
    frames, owners = [], []
    for number, seconds in enumerate(times):
        bodies = np.stack(
            [
                _body(statures[person], phase=2 * np.pi * strides[person] * seconds) + centres[number, person]
                for person in range(plan.num_people)
            ]
        )
        found = [
            person
            for person in rng.permutation(plan.num_people).tolist()
            if rng.random() >= plan.miss_rate and _covered(bodies, statures, person) <= plan.hidden_from
        ]
        poses = tuple(_find(rng, bodies[person], statures[person], plan) for person in found)
        frames.append(PeopleFrame(number, float(seconds), poses))
        owners.append(tuple(found))
    return Clip(tuple(frames), tuple(owners))


def _walk(rng: np.random.Generator, times: Floats, stature: float) -> Floats:
    """Return where the middle of a body is, (T, 2): to and fro at a constant speed, gently up and down."""
    left, right = np.sort(rng.uniform((100, 800), (480, 1180)))
    travelled = rng.uniform(0.3, 0.9) * stature * times + rng.uniform(0, 2 * (right - left))
    x = left + np.abs((travelled % (2 * (right - left))) - (right - left))
    return np.stack((x, 360 + (stature - 210) * 0.5 + 6 * np.sin(times * rng.uniform(0.3, 1.0))), axis=1)


def _body(stature: float, *, phase: float) -> Floats:
    return stature * (STANDING + np.stack((_SWING * np.sin(phase), np.zeros(len(_SWING))), axis=1))


def _covered(bodies: Floats, statures: Floats, person: int) -> float:
    """Return the largest part of a person's box that one nearer person's covers."""
    low, high = bodies.min(axis=1), bodies.max(axis=1)
    shared = np.minimum(high, high[person]) - np.maximum(low, low[person])
    parts = np.prod(np.maximum(shared, 0), axis=1) / np.prod(high[person] - low[person])
    return float(parts[statures > statures[person]].max(initial=0))


def _find(rng: np.random.Generator, body: Floats, stature: float, plan: ClipPlan) -> Pose:
    """Return a body as an estimator might see it."""
    points = body + rng.normal(0, plan.noise * stature, body.shape)
    scores = np.where(rng.random(len(body)) < plan.keypoint_miss_rate, 0, rng.uniform(0.4, 0.9, len(body)))
    points[scores == 0] = 0
    seen = points[scores > 0] if (scores > 0).any() else body
    margin = 0.05 * stature
    box = np.concatenate((seen.min(axis=0) - margin, seen.max(axis=0) + margin))
    return Pose(bbox=box, keypoints=np.column_stack((points, scores)))
