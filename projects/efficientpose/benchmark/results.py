"""What a benchmark found, as data and as JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from efficientpose.benchmark.cases import Case
from efficientpose.benchmark.timing import Timing
from efficientpose.core.files import replacing

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case and what it takes; ratios are of medians, to the baseline of the same variant and threads.

    Attributes:
        case: What was measured.
        network: The network alone, a batch.
        end_to_end: From the picture's file to keypoints, a batch.
        network_ratio: Its time over the baseline's.
        end_to_end_ratio: The same from end to end.
        network_cpu_ratio: The same, of the time that processors worked.
        end_to_end_cpu_ratio: The same.
        flops: Of the network for one crop.
        share_of_peak: Of the machine's measured rate; None where it was not measured.
        share_of_peak_cpu: The same of rates per second that processors worked, which holds on a busy machine too.
        crop_shift: Largest distance of a keypoint to the reference's on crops of the network's size, input pixels.
        picture_shift: The same in the picture, in input pixels of the network; scaling down rounds differently, too.
        picture_shift_median: The median there.
    """

    case: Case
    network: Timing
    end_to_end: Timing
    network_ratio: float
    end_to_end_ratio: float
    network_cpu_ratio: float
    end_to_end_cpu_ratio: float
    flops: float
    share_of_peak: float | None
    share_of_peak_cpu: float | None
    crop_shift: float
    picture_shift: float
    picture_shift_median: float


@dataclass(frozen=True, kw_only=True)
class GpuRow:
    """A way to run a network on a GPU.

    Attributes:
        variant: Its name.
        way: "torch" is the MMPose model; the others are of
            :func:`~efficientpose.inference.fast.prepare_for_inference`.
        precision: What it computes in.
        batch: Crops at once.
        network: Time of a batch.
        crops_per_second: By the median.
    """

    variant: str
    way: str
    precision: str
    batch: int
    network: Timing
    crops_per_second: float


@dataclass(kw_only=True)
class Report:
    """Everything that a benchmark found.

    Attributes:
        machine: Processor, cores, and versions of the engines.
        settings: Rounds, batch, and the picture.
        baseline: What ratios are to, in words.
        rows: One a case.
        gpu_rows: One a way on the GPU.
        peak: Thousand million FLOPs a second, by threads and by the kind of product.
        notes: What a reader must know.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    baseline: str
    rows: list[Row] = field(default_factory=list)
    gpu_rows: list[GpuRow] = field(default_factory=list)
    peak: dict[int, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain data; times are milliseconds."""
        return {
            "format": FORMAT,
            "machine": self.machine,
            "settings": self.settings,
            "baseline": self.baseline,
            "rows": [_flatten(row) for row in self.rows],
            "gpu": [_flatten(row) for row in self.gpu_rows],
            "peak_gflops": {str(threads): rates for threads, rates in self.peak.items()},
            "notes": self.notes,
        }

    def write(self, path: Path) -> None:
        """Write JSON.

        Raises:
            OSError: If it cannot be written.
        """
        with replacing(path) as partial:
            partial.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")


def _flatten(row: Row | GpuRow) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name == "case":
            plain |= value
        elif isinstance(value, tuple):  # a Timing
            timing = Timing(*value)
            plain[f"{name}_ms"] = timing.wall._asdict()
            plain[f"{name}_cpu_ms"] = timing.cpu._asdict()
        else:
            plain[name] = value
    return plain
