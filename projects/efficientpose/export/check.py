"""Compare what an exported file computes with what the MMPose model does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap
from efficientpose.core.decoding import blur_heatmap
from efficientpose.export.deployed import RTMLIB_MEAN, RTMLIB_STD, ExportOptions, read_normalisation
from efficientpose.models.criterion import PoseMaps
from efficientpose.models.upsampling import BilinearUpsampler
from efficientpose.runtime.engines import load_engine

Outputs = tuple[np.ndarray, ...]
Run = Callable[[Path, Sequence[np.ndarray]], list[Outputs]]
"""File and batches of crops (B, 3, H, W), as the file takes them but for the axes' order, to the outputs of each."""


def run_with_runtime(path: Path, batches: Sequence[np.ndarray]) -> list[Outputs]:
    """Run a file with our runtime, which also reads what the file says of itself."""
    engine = load_engine(path)
    if engine.metadata.input_layout == "nhwc":
        batches = [images.transpose(0, 2, 3, 1) for images in batches]
    return [engine.infer(np.ascontiguousarray(images)) for images in batches]


def run_onnx(path: Path, batches: Sequence[np.ndarray]) -> list[Outputs]:
    """Run a file that is made for others with ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    return [tuple(session.run(None, {taken.name: images})) for images in batches]


def run_torchscript(path: Path, batches: Sequence[np.ndarray]) -> list[Outputs]:
    """Run a file with PyTorch."""
    import torch

    network = torch.jit.load(str(path))
    with torch.no_grad():
        return [tuple(output.numpy() for output in network(torch.from_numpy(images))) for images in batches]


MAX_SHIFT = 0.25
"""Pixels of the input by which a keypoint may move."""

MAX_DIFFERENCE = {"float32": 1e-4, "float16": 1e-2}
"""By which a map, whose peaks are 1, may differ."""

_CONSTANT = 1e-6


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well an exported file agrees with the model.

    Attributes:
        difference: Largest absolute difference of a map's value.
        shift: Largest distance between keypoints, input pixels.
        is_constant: Whether the file gives flat maps, or the same for every crop, where the model does not.
        precision: Type of the file's weights.
    """

    difference: float
    shift: float
    is_constant: bool
    precision: str

    @property
    def is_good(self) -> bool:
        """Whether all is within the limits; what is no number is not."""
        within = self.difference <= MAX_DIFFERENCE[self.precision] and self.shift <= MAX_SHIFT
        return within and not self.is_constant


def feed(network: TopdownPoseEstimator, crops: np.ndarray, options: ExportOptions) -> np.ndarray:
    """Return crops as the exported file takes them, (B, 3, H, W) float32.

    Args:
        network: The pose estimator it was made from.
        crops: (B, H, W, 3) uint8, RGB.
        options: What was exported.
    """
    images = crops.transpose(0, 3, 1, 2).astype(np.float64)
    if options.layout == "rtmlib":
        mean, std = np.array(RTMLIB_MEAN), np.array(RTMLIB_STD)
        images = images[:, ::-1]
    elif options.normalise_inside:
        mean, std = np.zeros(3), np.ones(3)
    else:
        mean, std = (values.numpy() for values in read_normalisation(network))
    return np.ascontiguousarray((images - mean[:, None, None]) / std[:, None, None], dtype=np.float32)


def expect(network: TopdownPoseEstimator, crops: np.ndarray, options: ExportOptions) -> Outputs:
    """Return what the MMPose model computes: what an exported file should give.

    Args:
        network: In evaluation mode.
        crops: (B, H, W, 3) uint8, RGB.
        options: What was exported.
    """
    images = torch.from_numpy(feed(network, crops, ExportOptions()))
    with torch.no_grad():
        maps: PoseMaps = network(images, None, mode="tensor")
        if options.layout == "rtmlib":
            heatmaps = torch.nn.functional.pad(BilinearUpsampler()(maps.heatmaps[-1]), (0, 1, 0, 1))
        else:
            heatmaps = maps.final if options.outputs == "full" else maps.heatmaps[-1]
    if options.pafs and maps.pafs is not None:
        return heatmaps.numpy(), maps.pafs.numpy()
    return (heatmaps.numpy(),)


def compare(
    expected: Outputs, given: Sequence[Outputs], *, decoder: FullResolutionHeatmap, options: ExportOptions
) -> Agreement:
    """Compare maps of several crops, and the keypoints read from them; of several ways to run a file the worst counts.

    Args:
        expected: As :func:`expect` returns them.
        given: What the file gave, each time for all crops.
        decoder: Of the model.
        options: What was exported.
    """
    shapes = [each.shape for each in expected]
    if any([each.shape for each in outputs] != shapes for outputs in given):
        return Agreement(difference=np.inf, shift=np.inf, is_constant=False, precision=options.precision)
    pairs = [pair for outputs in given for pair in zip(expected, outputs, strict=True)]
    peaks = find_peaks(expected[0], decoder, options)
    distances = [peaks - find_peaks(outputs[0], decoder, options) for outputs in given]
    return Agreement(
        # unlike max(), what is no number if one of them is
        difference=float(np.max([np.abs(ours - theirs).max() for ours, theirs in pairs])),
        shift=float(np.linalg.norm(distances, axis=-1).max()),
        is_constant=any(_is_constant(theirs) and not _is_constant(ours) for ours, theirs in pairs),
        precision=options.precision,
    )


def _is_constant(maps: np.ndarray) -> bool:
    """Whether every map is flat, or all crops have the same maps."""
    is_flat = bool((np.ptp(maps, axis=(2, 3)) < _CONSTANT).all())
    return is_flat or (len(maps) > 1 and bool((np.ptp(maps, axis=0) < _CONSTANT).all()))


def find_peaks(heatmaps: np.ndarray, decoder: FullResolutionHeatmap, options: ExportOptions) -> np.ndarray:
    """Return keypoints (B, K, 2), input pixels, between pixels: a parabola through the peak and its neighbours.

    Whole pixels would jump where two neighbours differ by less than rounding.
    """
    if options.outputs == "heatmaps" and options.layout == "ours":
        heatmaps = BilinearUpsampler()(torch.from_numpy(heatmaps)).numpy()
    peaks = np.empty((*heatmaps.shape[:2], 2))
    for crop, number in np.ndindex(*heatmaps.shape[:2]):
        blurred = blur_heatmap(heatmaps[crop, number].astype(np.float64), sigma=decoder.blur_sigma)
        row, column = np.unravel_index(np.argmax(blurred), blurred.shape)
        across, down = blurred[row], blurred[:, column]
        peaks[crop, number] = _refine(across, int(column)), _refine(down, int(row))
    return peaks


def _refine(values: np.ndarray, peak: int) -> float:
    """Return where a parabola through the peak and its two neighbours is highest."""
    if not 0 < peak < len(values) - 1:
        return float(peak)
    before, middle, after = values[peak - 1 : peak + 2]
    curvature = before - 2 * middle + after
    return peak + 0.5 * (before - after) / curvature if curvature < 0 else float(peak)
