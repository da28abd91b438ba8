"""What to measure: engines, variants, precisions and numbers of threads, and which of them go together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from efficientpose.core.variants import get_variant

RELEASED: Final = "released"  # name of the released TFLite model and pipeline among the engines


class EngineKind(NamedTuple):
    """An engine, the file that it runs, and what it can compute in; for int8 files, what they hold."""

    format: str | None  # as ``efficientpose export`` calls it; None for PyTorch
    suffix: str
    precisions: tuple[str, ...]


ENGINES: Final = {
    "onnxruntime": EngineKind("onnx", ".onnx", ("float32", "int8")),
    "openvino": EngineKind("openvino", ".xml", ("float32", "bf16", "float16", "int8")),
    "litert": EngineKind("litert", ".tflite", ("float32",)),
    "torch": EngineKind(None, "", ("float32",)),
    "torch-fast": EngineKind(None, "", ("float32", "bf16")),
    "torch-compile": EngineKind(None, "", ("float32", "bf16")),
}
PRECISIONS: Final = ("float32", "bf16", "float16", "int8")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table: a variant on one of :data:`ENGINES`, or :data:`RELEASED`, in one of :data:`PRECISIONS`.

    The released models compute in float32; their weights are stored in float16.
    """

    variant: str
    engine: str
    precision: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure.

    Raises:
        ValueError: If a name is unknown, a number too small, or nothing goes together.
    """

    variants: Sequence[str]
    engines: Sequence[str]
    precisions: Sequence[str] = ("float32",)  # those that an engine does not have are left out
    threads: Sequence[int] = (2,)  # of the network
    rounds: int = 30  # runs of each
    batch: int = 1  # crops that the network takes at once, and images from end to end
    official: Path | None = None  # folder of the released .tflite models; None to measure without them
    models: Path | None = None  # folder of exported files; None exports them
    random_weights: bool = False  # look for no weights
    picture: Path | None = None  # image of a person; None for one that comes along
    matrix_peak: bool = False  # also measure the machine's highest rate of multiplications

    def __post_init__(self) -> None:
        for variant in self.variants:
            get_variant(variant)
        _check_names("engine", self.engines, known=ENGINES)
        _check_names("precision", self.precisions, known=PRECISIONS)
        for name, number in (("rounds", self.rounds), ("batch", self.batch), *(("threads", n) for n in self.threads)):
            if number < 1:
                raise ValueError(f"{name} must be 1 or more, got {number}")
        if self.random_weights and self.official is not None:
            raise ValueError("random weights find other keypoints than the released models: leave one of the two out")
        if "int8" in self.precisions and self.models is None:
            raise ValueError("int8 files are made with a calibration folder: make them first and name their folder")
        if not self.cases(self.variants[0], self.threads[0]):
            known = "; ".join(f"{name}: {', '.join(kind.precisions)}" for name, kind in ENGINES.items())
            raise ValueError(f"none of {', '.join(self.engines)} computes in {', '.join(self.precisions)}: {known}")

    def cases(self, variant: str, threads: int) -> list[Case]:
        """Return what is measured together, without the released pipeline."""
        return [
            Case(variant=variant, engine=engine, precision=precision, threads=threads)
            for engine, precision in product(self.engines, self.precisions)
            if precision in ENGINES[engine].precisions
        ]

    def left_out(self) -> list[str]:
        """Return, in words, what does not go together."""
        pairs = product(self.engines, self.precisions)
        missing = [(engine, each) for engine, each in pairs if each not in ENGINES[engine].precisions]
        return [f"{engine} does not compute in {precision}" for engine, precision in missing]


def _check_names(title: str, names: Sequence[str], *, known: Collection[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown {title} {', '.join(map(repr, unknown))}: choose from {', '.join(known)}")
    if not names:
        raise ValueError(f"no {title} is named: choose from {', '.join(known)}")
