"""PCKh, the MPII measure (Andriluka et al., CVPR 2014), on plain arrays.

A keypoint is correct when its distance to the ground truth is at most ``threshold`` times the person's reference
length, which for PCKh is 0.6 times the diagonal of the head box. The mean is taken over all labelled keypoints but
pelvis and thorax, so a keypoint counts as often as it is labelled. A group, such as the wrists, is the unweighted mean
of its sides; the head is the head top alone, as in MMPose. The area under the curve is that of PCKh over thresholds 0,
0.01, ..., 0.5 by the trapezoid rule, divided by 0.5, as in the MPII evaluation toolkit: the mean PCKh over that
interval. All scores are percentages.

Shapes: N people; S scores of a keypoint (one a threshold, and the area), index ``s``; G groups and the mean, index
``g``.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.skeleton import KEYPOINT_NAMES

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

GROUPS: Final = {
    "Head": ("head_top",),
    "Shoulder": ("right_shoulder", "left_shoulder"),
    "Elbow": ("right_elbow", "left_elbow"),
    "Wrist": ("right_wrist", "left_wrist"),
    "Hip": ("right_hip", "left_hip"),
    "Knee": ("right_knee", "left_knee"),
    "Ankle": ("right_ankle", "left_ankle"),
}
"""Columns of the MPII table and the keypoints each is the mean of."""

EXCLUDED_FROM_MEAN: Final = ("pelvis", "thorax")
MEAN_ROW: Final = "Mean"
AREA_THRESHOLDS: Final = np.arange(0, 51) / 100
AREA_COLUMN: Final = "AUC"
CONFIDENCE: Final = 0.95

_GROUP_INDICES: Final = tuple([KEYPOINT_NAMES.index(name) for name in names] for names in GROUPS.values())
_IN_MEAN: Final = np.array([name not in EXCLUDED_FROM_MEAN for name in KEYPOINT_NAMES])


class Score(NamedTuple):
    """A percentage and its bootstrap 95% confidence interval.

    ``value`` is NaN where no keypoint is labelled; ``low`` and ``high`` are NaN without bootstrap.
    """

    value: float
    low: float
    high: float


class PckhTable(NamedTuple):
    """Scores by row (``"Head"`` ... ``"Ankle"``, ``"Mean"``) and column (``"@0.5"``, ..., ``"AUC"``)."""

    rows: dict[str, dict[str, Score]]
    num_people: int


def compute_pckh(
    predictions: Floats,
    truth: Floats,
    labelled: Flags,
    reference_lengths: Floats,
    *,
    thresholds: Sequence[float] = (0.5, 0.1),
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> PckhTable:
    """Score predictions against the ground truth.

    Args:
        predictions: (N, 16, 2) keypoints, image pixels, in the same frame as ``truth``.
        truth: (N, 16, 2); may hold anything where not labelled.
        labelled: (N, 16), true where the ground truth is known; other keypoints are not counted.
        reference_lengths: (N,) lengths the distances are divided by, pixels.
        thresholds: Fractions of the reference length.
        num_bootstrap: Resamples of people behind the confidence intervals; 0 for none.
        seed: Of the resampling.

    Raises:
        ValueError: If no keypoint is labelled, or a threshold, prediction, labelled keypoint or reference length is not
            a usable number.
    """
    labelled = np.asarray(labelled, dtype=bool)
    if not thresholds or not all(0 <= threshold < np.inf for threshold in thresholds):
        raise ValueError(f"thresholds {tuple(thresholds)}: give at least one, each a fraction of the reference length")
    if num_bootstrap < 0:
        raise ValueError(f"num_bootstrap {num_bootstrap}: must be 0 (no intervals) or more")
    _check_arrays(predictions, truth, labelled, reference_lengths)
    offsets = np.where(labelled[..., None], np.asarray(predictions, float) - np.asarray(truth, float), np.inf)
    distances = np.linalg.norm(offsets, axis=-1) / np.asarray(reference_lengths, float)[:, None]  # (N, 16)
    credit = np.stack([*(distances <= threshold for threshold in thresholds), _area_credit(distances)])  # (S, N, 16)

    values = _summarise(credit, labelled, np.ones(len(labelled)))  # (S, G)
    low, high = _bootstrap_intervals(credit, labelled, num_bootstrap=num_bootstrap, seed=seed)
    columns = [*(f"@{threshold:g}" for threshold in thresholds), AREA_COLUMN]
    rows = {
        row: {column: Score(*(float(each[s, g]) for each in (values, low, high))) for s, column in enumerate(columns)}
        for g, row in enumerate([*GROUPS, MEAN_ROW])
    }
    return PckhTable(rows, len(labelled))


def _area_credit(distances: Floats) -> Floats:
    """Return each keypoint's area under its own curve of correctness (0 or 1) over thresholds, in [0, 1].

    PCKh is a mean of correctness over keypoints, so the area under its curve is the same mean of these.
    """
    num_intervals = len(AREA_THRESHOLDS) - 1
    # Counted in half intervals, which are whole numbers, so that a perfect keypoint earns exactly 1.
    half_intervals = np.zeros_like(distances)
    for i, threshold in enumerate(AREA_THRESHOLDS):
        half_intervals += (1 if i in {0, num_intervals} else 2) * (distances <= threshold)
    return half_intervals / (2 * num_intervals)


def _check_arrays(predictions: Floats, truth: Floats, labelled: Flags, reference_lengths: Floats) -> None:
    num_people = len(labelled)
    if not labelled[:, _IN_MEAN].any():
        raise ValueError(f"no labelled keypoint among {num_people} people: there is nothing to score")
    for name, keypoints in (("prediction", predictions), ("truth", truth)):
        broken = np.flatnonzero((~np.isfinite(keypoints).all(axis=-1) & labelled).any(axis=-1))
        if len(broken):
            raise ValueError(f"the {name} of {len(broken)} people is not finite, first person {broken[0]}")
    broken = np.flatnonzero(~(np.isfinite(reference_lengths) & (np.asarray(reference_lengths) > 0)))
    if len(broken):
        raise ValueError(
            f"the reference length of {len(broken)} people is not a positive number, "
            f"first person {broken[0]}: {reference_lengths[broken[0]]}"
        )


def _summarise(credit: Floats, labelled: Flags, multiplicity: Floats) -> Floats:
    """Return percentages (S, G), the mean last; ``multiplicity`` (N,) is how often each person counts."""
    earned = 100 * np.tensordot(credit, multiplicity, axes=(1, 0))  # (S, 16)
    count = multiplicity @ labelled  # (16,)
    known = count > 0
    per_keypoint = earned / np.where(known, count, np.nan)
    groups = []
    for indices in _GROUP_INDICES:
        sides = [index for index in indices if known[index]]
        groups.append(per_keypoint[:, sides].mean(axis=1) if sides else np.full(len(credit), np.nan))
    total = count[_IN_MEAN].sum()
    groups.append(earned[:, _IN_MEAN].sum(axis=1) / (total if total else np.nan))
    return np.stack(groups, axis=1)


def _bootstrap_intervals(credit: Floats, labelled: Flags, *, num_bootstrap: int, seed: int) -> tuple[Floats, Floats]:
    """Return the lower and upper bounds, (S, G) each; percentile bootstrap over people."""
    num_people = len(labelled)
    shape = (len(credit), len(GROUPS) + 1)
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    if num_bootstrap == 0:
        return low, high
    generator = np.random.default_rng(seed)
    samples = np.empty((num_bootstrap, *shape))
    for sample in samples:
        drawn = generator.integers(num_people, size=num_people)
        sample[:] = _summarise(credit, labelled, np.bincount(drawn, minlength=num_people).astype(float))
    tail = (1 - CONFIDENCE) / 2
    for s, g in np.ndindex(shape):
        # A resample may hold no person with this keypoint labelled; it tells nothing about the keypoint.
        defined = samples[np.isfinite(samples[:, s, g]), s, g]
        if len(defined):
            low[s, g], high[s, g] = np.quantile(defined, [tail, 1 - tail])
    return low, high
