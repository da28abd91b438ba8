"""Right-handed rotation matrices about the body axes (x to the person's left, y up, z forward)."""

import math

import numpy as np


def rotation_x(degrees: float) -> np.ndarray:
    """Return the (3, 3) rotation that tips up towards forward."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])


def rotation_y(degrees: float) -> np.ndarray:
    """Return the (3, 3) rotation that turns forward towards the left."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def rotation_z(degrees: float) -> np.ndarray:
    """Return the (3, 3) rotation that lifts the left towards up."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
