"""Person detectors: what finds the bounding boxes of people, and YOLOX and RTMDet in ONNX files."""

from pathlib import Path
from typing import Final, Literal, Protocol, get_args

import cv2
import numpy as np

from efficientpose.core.similarity import box_overlaps, keep_distinct
from efficientpose.runtime.engines import EngineError

DetectorKind = Literal["yolox", "rtmdet"]

MAX_OVERLAP: Final = 0.45  # IoU from which two boxes are of one person
STRIDES: Final = (8, 16, 32)
BORDER: Final = 114  # grey of what the image does not fill
FLEXIBLE_SIDE: Final = 640  # of the input of a file that takes any size
RTMDET_MEAN: Final = np.array((103.53, 116.28, 123.675), np.float32)  # of blue, green and red
RTMDET_STD: Final = np.array((57.375, 57.12, 58.395), np.float32)


class PersonDetector(Protocol):
    """Whatever finds people: one of these, or one of your own."""

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Return the people in an image (H, W, 3) uint8, BGR: (N, 5) x1, y1, x2, y2 in image pixels and score."""
        ...


class DetectorError(ValueError):
    """A file is no person detector that can be used; the message names it and says what would be right."""


class OnnxDetector:
    """A YOLOX or RTMDet in an ``.onnx`` file as rtmlib and MMDeploy have them, with or without suppression inside.

    Images are scaled into the upper left of the input, the rest grey. YOLOX takes them in BGR as they are, RTMDet
    normalised. People are class 0. The first output is one of

    - (1, cells, 5 + classes): x, y, width, height, objectness and classes of each cell, as YOLOX predicts them;
    - (1, people, 5): x1, y1, x2, y2 and score, with labels (1, people) as the second output.

    Args:
        file: Its one input is (1, 3, height, width) float32.
        kind: "yolox" or "rtmdet"; None goes by the file's name.
        min_score: People who score lower are left out.
        threads: Threads of the network; None for all cores.
        device: "cpu", "cuda" or "cuda:1".

    Attributes:
        title: What it is called.
        input_size: (width, height) of its input, pixels.

    Raises:
        FileNotFoundError: If the file is not there.
        DetectorError: If the file is no such detector.
        EngineError: If ONNX Runtime is not installed or cannot run it as asked.
    """

    def __init__(
        self,
        file: Path,
        *,
        kind: DetectorKind | None = None,
        min_score: float = 0.4,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        if not file.is_file():
            raise FileNotFoundError(2, "no such detector file", str(file))
        if kind not in (None, *get_args(DetectorKind)):
            raise DetectorError(f"a detector is one of {', '.join(get_args(DetectorKind))}, not {kind!r}")
        try:
            from efficientpose.runtime.onnxruntime_engine import open_session
        except ModuleNotFoundError as error:
            raise EngineError(f'{file}: running it needs ONNX Runtime: pip install "efficientpose[runtime]"') from error
        self._file = file
        self._normalises = kind == "rtmdet" if kind else "rtmdet" in file.stem.lower()
        self._min_score = min_score
        self._session = open_session(file, threads=threads, device=device)
        self.input_size = self._check_input()
        width, height = self.input_size
        self.title = f"{file.name} as {'RTMDet' if self._normalises else 'YOLOX'} of {width} x {height} pixels"
        self._cells, self._strides = _place_cells(self.input_size)
        self.detect(np.full((height, width, 3), BORDER, np.uint8))  # another layout is refused at once

    def _check_input(self) -> tuple[int, int]:
        (taken, *others) = self._session.get_inputs()
        sides = [side if isinstance(side, int) and side > 0 else None for side in taken.shape]
        if others or len(sides) != 4 or taken.type != "tensor(float)" or sides[0] not in (None, 1) or sides[1] != 3:
            raise DetectorError(
                f"{self._file}: a person detector takes one image (1, 3, height, width) of float32, this file takes "
                f"{', '.join(f'{each.name} {each.shape} {each.type}' for each in (taken, *others))}"
            )
        height, width = (side or FLEXIBLE_SIDE for side in sides[2:])
        return width, height

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Return the people in an image (H, W, 3) uint8, BGR: (N, 5) x1, y1, x2, y2 and score, best first.

        Raises:
            DetectorError: If the file gives something else than a person detector does.
        """
        pixels, zoom = _letterbox(image, self.input_size)
        if self._normalises:
            pixels = (pixels - RTMDET_MEAN) / RTMDET_STD
        batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)  # (1, 3, h, w)
        try:
            outputs = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise DetectorError(f"{self._file}: it cannot be run ({error})") from error
        found = self._read(outputs)
        found = found[found[:, 4] >= self._min_score]
        found[:, :4] /= zoom
        return suppress_overlapping(found)

    def _read(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Return people (N, 5) in input pixels."""
        first, *others = outputs
        if first.ndim == 3 and first.shape[::2] == (1, 5):
            people = first[0].astype(np.float32)
            if others and others[0].shape == first.shape[:2]:
                people = people[others[0][0] == 0]
            return people
        if first.ndim == 3 and first.shape[:2] == (1, len(self._cells)) and first.shape[2] > 5:
            cells = first[0].astype(np.float32)  # (cells, 5 + classes)
            centres = (cells[:, :2] + self._cells) * self._strides
            halves = np.exp(cells[:, 2:4]) * self._strides / 2
            return np.column_stack((centres - halves, centres + halves, cells[:, 4] * cells[:, 5]))
        raise DetectorError(
            f"{self._file}: a person detector's first output is (1, cells, 5 + classes) or (1, people, 5); for an "
            f"input of {self.input_size[0]} x {self.input_size[1]} with {len(self._cells)} cells this file gives "
            f"{[each.shape for each in outputs]}"
        )


def suppress_overlapping(found: np.ndarray, *, max_overlap: float = MAX_OVERLAP) -> np.ndarray:
    """Return boxes with scores (N, 5), best first, without those that a better one overlaps: IoU ``max_overlap``."""
    ordered = found[np.argsort(-found[:, 4], kind="stable")]
    return ordered[keep_distinct(box_overlaps(ordered[:, :4], ordered[:, :4]) >= max_overlap)]


def _place_cells(input_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return column and row of YOLOX's cells (N, 2), and their strides (N, 1), finest first."""
    cells, strides = [], []
    for stride in STRIDES:
        columns, rows = np.meshgrid(np.arange(input_size[0] // stride), np.arange(input_size[1] // stride))
        cells.append(np.column_stack((columns.ravel(), rows.ravel())))
        strides.append(np.full((columns.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _letterbox(image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Return an image in the upper left of an input (height, width, 3) uint8, and input pixels per image pixel."""
    width, height = input_size
    zoom = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, int(image.shape[1] * zoom)), max(1, int(image.shape[0] * zoom)))
    canvas = np.full((height, width, 3), BORDER, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return canvas, zoom
