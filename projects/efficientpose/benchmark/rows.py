"""From timings to the rows of the table."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from efficientpose.benchmark.cases import RELEASED, Case
from efficientpose.benchmark.contenders import Contender
from efficientpose.benchmark.matrix_peak import Rate, find_rate
from efficientpose.benchmark.results import Row
from efficientpose.benchmark.timing import Timing
from efficientpose.core.variants import Variant
from efficientpose.inference.sample_crops import Crops

Key = tuple[Case | str, str]
"""What took turns: a case and "network" or "end_to_end", or a matrix product and "peak"."""


class Shifts(NamedTuple):
    """Distances of keypoints to the baseline's, input pixels of the network.

    Attributes:
        crops: The largest on crops of the network's size.
        picture: The largest in the picture; what scales it down may differ, too.
        picture_median: The median in the picture.
    """

    crops: float
    picture: float
    picture_median: float


def make_rows(
    contenders: Mapping[Case, Contender],
    timings: Mapping[Key, Timing],
    *,
    variant: Variant,
    flops: float,
    batch: int,
    peak: Rate | None,
    shifts: Mapping[Case, Shifts],
) -> list[Row]:
    """Compare cases of one variant and number of threads; the first one is the baseline.

    Args:
        contenders: What was measured.
        timings: What it takes.
        variant: Of all.
        flops: Of our network for one crop; the released one, which upsamples, has its own.
        batch: Crops at once.
        peak: What the machine reaches; None where that was not measured.
        shifts: As :func:`find_shifts` returns them.
    """
    baseline, *_ = contenders
    base_network, base_end_to_end = timings[baseline, "network"], timings[baseline, "end_to_end"]
    rows = []
    for case in contenders:
        network, end_to_end = timings[case, "network"], timings[case, "end_to_end"]
        own_flops = variant.measured_flops if case.engine == RELEASED else flops
        rate = find_rate(network, flops=own_flops * batch)
        rows.append(
            Row(
                case=case,
                network=network,
                end_to_end=end_to_end,
                network_ratio=network.wall.median / base_network.wall.median,
                end_to_end_ratio=end_to_end.wall.median / base_end_to_end.wall.median,
                network_cpu_ratio=network.cpu.median / base_network.cpu.median,
                end_to_end_cpu_ratio=end_to_end.cpu.median / base_end_to_end.cpu.median,
                flops=own_flops,
                share_of_peak=None if peak is None else rate.wall / peak.wall,
                share_of_peak_cpu=None if peak is None else rate.cpu / peak.cpu,
                crop_shift=shifts[case].crops,
                picture_shift=shifts[case].picture,
                picture_shift_median=shifts[case].picture_median,
            )
        )
    return rows


def find_shifts(
    contenders: Mapping[Case, Contender], crops: Crops, *, side: int, picture_size: tuple[int, int]
) -> dict[Case, Shifts]:
    """Return how far each contender's keypoints are from the first one's.

    Args:
        contenders: What to compare.
        crops: Of the network's size.
        side: Of the network's input, pixels.
        picture_size: (width, height).
    """
    found = {
        case: (np.stack([contender.find_in_crop(crop) for crop in crops.pixels]), contender.find_in_picture())
        for case, contender in contenders.items()
    }
    (base_in_crops, base_in_picture), *_ = found.values()
    scale = side / max(picture_size)
    shifts = {}
    for case, (in_crops, in_picture) in found.items():
        distances = scale * _distances(in_picture, base_in_picture)
        shifts[case] = Shifts(
            crops=float(_distances(in_crops, base_in_crops).max()),
            picture=float(distances.max()),
            picture_median=float(np.median(distances)),
        )
    return shifts


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.linalg.norm(points - others, axis=-1)
    return distances
