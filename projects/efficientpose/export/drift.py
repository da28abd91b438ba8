"""How far keypoints move when a network is quantised."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SURE: Final = 0.3
"""Peak of a float32 heatmap from which on its keypoint counts as found. Below, several peaks are about as high, and the
highest changes with any rounding."""

FAR: Final = 0.02
"""Share of the input's longer side beyond which a keypoint has moved far."""

MAX_DRIFT: Final = 0.01
"""Bound on the 95th percentile of the shifts of found keypoints, as a share of the input's longer side."""


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Distances between the keypoints of two networks, input pixels; NaN where there are none.

    Attributes:
        num_keypoints: How many were compared.
        median: Half of them moved less.
        percentile_95: 95% of them moved less.
        share_far: Share of those that moved more than :data:`FAR`.
    """

    num_keypoints: int
    median: float
    percentile_95: float
    share_far: float


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A quantised network against the same in float32.

    Attributes:
        num_crops: How many were looked at.
        side: Longer side of the input, pixels.
        difference: Largest absolute difference of a map's value.
        found: Of keypoints that the float32 network finds, see :data:`SURE`.
        every: Of all.
    """

    num_crops: int
    side: int
    difference: float
    found: Shifts
    every: Shifts

    def is_within(self, pixels: float) -> bool:
        """Whether 95% of the found keypoints moved by at most so many input pixels; not if there are none."""
        return self.found.percentile_95 <= pixels

    def as_document(self) -> dict[str, Any]:
        """Return what a JSON file holds: distances in input pixels and as shares of the input's side."""
        document = asdict(self)
        for part in ("found", "every"):
            for name in ("median", "percentile_95"):
                document[part][f"{name}_of_side"] = document[part][name] / self.side
            document[part] = {key: None if np.isnan(value) else value for key, value in document[part].items()}
        return document


def measure_drift(
    expected: tuple[np.ndarray, ...],
    given: tuple[np.ndarray, ...],
    *,
    distances: NDArray[np.float64],
    input_size: tuple[int, int],
) -> Drift:
    """Compare two networks' answers to the same crops.

    Args:
        expected: Outputs in float32, heatmaps (B, K, h, w) first.
        given: Outputs of the quantised network.
        distances: (B, K) between their keypoints, input pixels.
        input_size: (width, height).
    """
    side = max(input_size)
    is_found = expected[0].max(axis=(2, 3)) >= SURE
    return Drift(
        num_crops=len(distances),
        side=side,
        difference=float(np.max([np.abs(ours - theirs).max() for ours, theirs in zip(expected, given, strict=True)])),
        found=_summarise(distances[is_found], side=side),
        every=_summarise(distances.ravel(), side=side),
    )


def _summarise(distances: NDArray[np.float64], *, side: int) -> Shifts:
    if not distances.size:
        return Shifts(num_keypoints=0, median=np.nan, percentile_95=np.nan, share_far=np.nan)
    return Shifts(
        num_keypoints=distances.size,
        median=float(np.median(distances)),
        percentile_95=float(np.percentile(distances, 95)),
        share_far=float((distances > FAR * side).mean()),
    )
