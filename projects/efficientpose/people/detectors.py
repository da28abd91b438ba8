"""Person detectors: where the people are in a picture, so that each is looked at by itself."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np

from efficientpose.core.similarity import box_overlaps, keep_distinct
from efficientpose.runtime.engines import EngineError

if TYPE_CHECKING:
    from efficientpose.people.onnx_detector import OnnxDetector

DetectorKind = Literal["yolox", "rtmdet"]

MAX_OVERLAP: Final = 0.45
"""Intersection over union from which two boxes are one person's."""


class PersonDetector(Protocol):
    """Whatever finds people: one of these, or one of your own."""

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Return the people, (N, 5) x1, y1, x2, y2 in image pixels and score; (0, 5) where there is nobody.

        Args:
            image: (H, W, 3) uint8, BGR.
        """
        ...


def load_detector(
    file: Path, *, kind: DetectorKind | None = None, threads: int | None = None, device: str = "cpu"
) -> "OnnxDetector":
    """Load a person detector; see :class:`~efficientpose.people.onnx_detector.OnnxDetector`.

    Raises:
        FileNotFoundError: If the file is not there.
        DetectorError: If it is no such detector.
        EngineError: If ONNX Runtime is not installed or cannot run it as asked.
    """
    if not file.is_file():
        raise FileNotFoundError(2, "no such detector file", str(file))
    try:
        module = importlib.import_module("efficientpose.people.onnx_detector")
    except ModuleNotFoundError as error:
        raise EngineError(f'{file}: running it needs ONNX Runtime: pip install "efficientpose[runtime]"') from error
    detector: OnnxDetector = module.OnnxDetector(file, kind=kind, threads=threads, device=device)
    return detector


def suppress_doubles(found: np.ndarray, *, max_overlap: float = MAX_OVERLAP) -> np.ndarray:
    """Return boxes with scores (N, 5) without those that a better one overlaps, best first.

    Args:
        found: (N, 5) x1, y1, x2, y2 and score.
        max_overlap: Intersection over union from which two are one.
    """
    ordered = found[np.argsort(-found[:, 4], kind="stable")]
    return ordered[keep_distinct(box_overlaps(ordered[:, :4], ordered[:, :4]) >= max_overlap)]
