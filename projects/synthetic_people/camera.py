"""A pinhole camera: from the world (y up, statures) to picture coordinates (0-based pixel centres, y down)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synthetic_people.rotations import rotation_x, rotation_z


class Projection(NamedTuple):
    """Points in the picture.

    Attributes:
        points: (N, 2), 0-based pixel centres.
        depths: (N,), distance along the optical axis, statures.
    """

    points: np.ndarray
    depths: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera that looks at ``target`` from the side the z axis points to.

    Attributes:
        target: (3,), the world point that falls on ``principal_point``.
        principal_point: (2,), picture coordinates.
        stature: Size in pixels of one stature at the distance of the target.
        distance: From the camera to the target, statures.
        elevation: Of the camera above the target, degrees.
        roll: Of the picture, degrees; positive turns its content clockwise.
    """

    target: np.ndarray
    principal_point: np.ndarray
    stature: float
    distance: float
    elevation: float
    roll: float

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3), from the world to the camera (x right, y down, z away from the viewer)."""
        flip = np.diag([1.0, -1.0, -1.0])
        return rotation_z(self.roll) @ flip @ rotation_x(self.elevation)

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Return world points (N, 3) in camera coordinates (N, 3), statures, with the camera at 0."""
        return (points - self.target) @ self.rotation.T + np.array([0.0, 0.0, self.distance])

    def project(self, points: np.ndarray) -> Projection:
        """Project world points (N, 3).

        Raises:
            ValueError: If a point lies behind the camera or in its plane.
        """
        in_camera = self.to_camera(points)
        depths = in_camera[:, 2]
        if depths.min() <= 0:
            raise ValueError(
                f"a point lies {-depths.min():.2f} statures behind the camera: move the camera further than "
                f"{self.distance:.2f} statures away"
            )
        focal_length = self.stature * self.distance
        return Projection(self.principal_point + focal_length * in_camera[:, :2] / depths[:, None], depths)


def sample_camera(
    rng: np.random.Generator, *, target: np.ndarray, principal_point: np.ndarray, stature: float
) -> Camera:
    """Draw a view of ``target``: near or far, mostly from eye level, seldom from far below or above."""
    return Camera(
        target=target,
        principal_point=principal_point,
        stature=stature,
        distance=math.exp(rng.uniform(math.log(2.2), math.log(9.0))),
        elevation=float(np.clip(rng.normal(9.0, 13.0), -20.0, 50.0)),
        roll=float(rng.normal(0.0, 6.0)),
    )
