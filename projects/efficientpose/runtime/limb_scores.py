"""How well a part affinity field supports a limb between two points (Cao et al. 2017, Eq. 10).

Points are (x, y) pixel-centre indices of the network's input; cell j of a field of stride s is centred on s · j +
(s − 1) / 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class LimbRule:
    """When a limb counts.

    Attributes:
        num_samples: Points on the line at which the field is read, in the middle of as many equal pieces.
        min_agreement: Component of the field along the limb from which a point supports it; the field's length is
            about 1 on a limb and 0 elsewhere.
        min_supported: Fraction of the points that must support it.

    Raises:
        ValueError: If a number is out of its range.
    """

    num_samples: int = 10
    min_agreement: float = 0.05
    min_supported: float = 0.8

    def __post_init__(self) -> None:
        if self.num_samples < 1 or not 0 <= self.min_supported <= 1 or not 0 <= self.min_agreement < 1:
            raise ValueError(
                "num_samples must be 1 or more, min_supported from 0 to 1 and min_agreement from 0 to below 1, got "
                f"{self.num_samples}, {self.min_supported} and {self.min_agreement}"
            )


def sample_field(field: Floats, points: Floats, *, stride: int) -> Floats:
    """Read a field between its cells, bilinearly; beyond the outermost centres it goes on as it is there.

    Args:
        field: (C, h, w), finite.
        points: (N, 2).
        stride: Input pixels per cell.

    Returns:
        (C, N).
    """
    num_channels, height, width = field.shape
    last = np.array((width - 1, height - 1))
    cells = np.clip((points - (stride - 1) / 2) / stride, 0, last)
    low = np.minimum(cells.astype(np.intp), np.maximum(last - 1, 0))
    x_share, y_share = (cells - low).T
    right, below = (np.minimum(low + 1, last) - low).T
    flat = field.reshape(num_channels, -1)
    corner = low[:, 1] * width + low[:, 0]
    above = flat[:, corner] * (1 - x_share) + flat[:, corner + right] * x_share
    corner = corner + below * width
    under = flat[:, corner] * (1 - x_share) + flat[:, corner + right] * x_share
    read: Floats = above * (1 - y_share) + under * y_share
    return read


def score_limbs(field: Floats, starts: Floats, ends: Floats, *, stride: int, rule: LimbRule) -> Floats:
    """Score every pair of a proximal and a distal joint.

    Args:
        field: (2, h, w), the limb's x and y components; finite.
        starts: (A, 2), candidates of the proximal joint.
        ends: (B, 2), candidates of the distal joint.
        stride: Input pixels per cell.
        rule: When a limb counts.

    Returns:
        (A, B), the mean of the field's component along the limb, about 0 to 1; 0 where too few points support it or
        the two joints lie on one point.
    """
    vectors = ends[None] - starts[:, None]
    lengths = np.linalg.norm(vectors, axis=2)
    units = vectors / np.maximum(lengths, 1e-9)[..., None]
    shares = (np.arange(rule.num_samples) + 0.5) / rule.num_samples
    points = starts[:, None, None] + vectors[:, :, None] * shares[:, None]
    values = sample_field(field, points.reshape(-1, 2), stride=stride).reshape(2, *points.shape[:3])
    along = values[0] * units[:, :, None, 0] + values[1] * units[:, :, None, 1]
    means: Floats = along.mean(axis=2)
    is_supported = (along > rule.min_agreement).mean(axis=2) >= rule.min_supported
    return np.where(is_supported & (lengths > 1e-9), np.maximum(means, 0), 0)
