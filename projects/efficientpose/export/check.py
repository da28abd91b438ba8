"""Compare an exported file with the MMPose model: its outputs, and the keypoints that they give."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from numpy.typing import NDArray

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap
from efficientpose.core.decoding import blur_heatmap
from efficientpose.export.deployed import RTMLIB_MEAN, RTMLIB_STD, ExportOptions, read_normalisation
from efficientpose.models.criterion import PoseMaps
from efficientpose.models.upsampling import BilinearUpsampler
from efficientpose.runtime.engines import load_engine

Outputs = tuple[np.ndarray, ...]  # heatmaps (B, K, h, w) and, if exported, part affinity fields (B, 2L, h, w)


def encode_crops(network: TopdownPoseEstimator, crops: np.ndarray, options: ExportOptions) -> np.ndarray:
    """Return crops (B, H, W, 3) uint8 RGB as the network exported with ``options`` takes them, (B, 3, H, W) float32."""
    images = crops.transpose(0, 3, 1, 2).astype(np.float64)
    if options.layout == "rtmlib":
        mean, std = np.array(RTMLIB_MEAN), np.array(RTMLIB_STD)
        images = images[:, ::-1]
    elif options.normalise_inside:
        mean, std = np.zeros(3), np.ones(3)
    else:
        mean, std = (values.numpy() for values in read_normalisation(network))
    return np.ascontiguousarray((images - mean[:, None, None]) / std[:, None, None], dtype=np.float32)


def run_model(network: TopdownPoseEstimator, crops: np.ndarray, options: ExportOptions) -> Outputs:
    """Return the MMPose model's outputs for crops (B, H, W, 3) uint8 RGB, which an exported file should reproduce."""
    images = torch.from_numpy(encode_crops(network, crops, ExportOptions()))
    with torch.no_grad():
        maps: PoseMaps = network(images, None, mode="tensor")
        if options.layout == "rtmlib":
            heatmaps = torch.nn.functional.pad(BilinearUpsampler()(maps.heatmaps[-1]), (0, 1, 0, 1))
        else:
            heatmaps = maps.final if options.outputs == "full" else maps.heatmaps[-1]
    if options.pafs and maps.pafs is not None:
        return heatmaps.numpy(), maps.pafs.numpy()
    return (heatmaps.numpy(),)


def run_file(path: Path, batches: Sequence[np.ndarray], options: ExportOptions) -> list[Outputs]:
    """Return an exported file's outputs for each batch (B, 3, H, W), computed as its users do."""
    if path.suffix == ".torchscript":
        scripted = torch.jit.load(str(path))
        with torch.no_grad():
            return [tuple(output.numpy() for output in scripted(torch.from_numpy(images))) for images in batches]
    if options.layout == "rtmlib":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (taken,) = session.get_inputs()
        return [tuple(session.run(None, {taken.name: images})) for images in batches]
    engine = load_engine(path)
    if engine.metadata.input_layout == "nhwc":
        batches = [images.transpose(0, 2, 3, 1) for images in batches]
    return [engine.infer(np.ascontiguousarray(images)) for images in batches]


MAX_SHIFT: Final = 0.25  # largest allowed movement of a keypoint, input pixels

MAX_DIFFERENCE: Final = {"float32": 1e-4, "float16": 1e-2}
"""Largest allowed difference of an output's value; peaks of heatmaps are 1."""

_CONSTANT: Final = 1e-6


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well an exported file agrees with the model."""

    difference: float  # largest absolute difference of an output's value
    shift: float  # largest distance between keypoints, input pixels
    is_constant: bool  # whether the file's outputs are flat, or equal for all crops, where the model's are not
    precision: str  # type of the file's weights

    @property
    def is_good(self) -> bool:
        """Whether all is within the limits; NaN is not."""
        within = self.difference <= MAX_DIFFERENCE[self.precision] and self.shift <= MAX_SHIFT
        return within and not self.is_constant


def compare(
    expected: Outputs, given: Sequence[Outputs], *, decoder: FullResolutionHeatmap, options: ExportOptions
) -> Agreement:
    """Compare the model's outputs, and the keypoints read from them, with a file's for the same crops.

    ``given`` has the file's outputs once for each way to run it; the worst counts. ``decoder`` is the model's.
    """
    shapes = [each.shape for each in expected]
    if any([each.shape for each in outputs] != shapes for outputs in given):
        return Agreement(difference=np.inf, shift=np.inf, is_constant=False, precision=options.precision)
    pairs = [pair for outputs in given for pair in zip(expected, outputs, strict=True)]
    distances = np.stack([measure_shifts(expected, outputs, decoder=decoder, options=options) for outputs in given])
    is_found = expected[0].max(axis=(2, 3)) >= FOUND  # (B, K)
    if is_found.any():  # where two peaks are about as high, the highest changes with any rounding
        distances = distances[:, is_found]
    return Agreement(
        difference=max_difference(pairs),
        shift=float(np.max(distances)),
        is_constant=any(_is_constant(theirs) and not _is_constant(ours) for ours, theirs in pairs),
        precision=options.precision,
    )


def max_difference(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the largest absolute difference within any pair; NaN if there is one, unlike Python's max()."""
    return float(np.max([np.abs(ours - theirs).max() for ours, theirs in pairs]))


def _is_constant(maps: np.ndarray) -> bool:
    """Whether every map of (B, C, h, w) is flat, or all crops have the same maps."""
    is_flat = bool((np.ptp(maps, axis=(2, 3)) < _CONSTANT).all())
    return is_flat or (len(maps) > 1 and bool((np.ptp(maps, axis=0) < _CONSTANT).all()))


def measure_shifts(
    expected: Outputs, given: Outputs, *, decoder: FullResolutionHeatmap, options: ExportOptions
) -> NDArray[np.float64]:
    """Return the distances (B, K) between the keypoints of two networks' outputs, input pixels."""
    moved = find_peaks(expected[0], decoder, options) - find_peaks(given[0], decoder, options)
    return np.linalg.norm(moved, axis=-1)


def find_peaks(heatmaps: np.ndarray, decoder: FullResolutionHeatmap, options: ExportOptions) -> np.ndarray:
    """Return keypoints (B, K, 2), input pixels, from a parabola through each peak and its neighbours.

    Whole pixels would jump where two neighbours differ by less than rounding.
    """
    if options.outputs == "heatmaps" and options.layout == "ours":
        heatmaps = BilinearUpsampler()(torch.from_numpy(heatmaps)).numpy()
    peaks = np.empty((*heatmaps.shape[:2], 2))
    for crop, keypoint in np.ndindex(*heatmaps.shape[:2]):
        blurred = blur_heatmap(heatmaps[crop, keypoint].astype(np.float64), sigma=decoder.blur_sigma)
        row, column = np.unravel_index(np.argmax(blurred), blurred.shape)
        peaks[crop, keypoint] = _refine(blurred[row], int(column)), _refine(blurred[:, column], int(row))
    return peaks


def _refine(values: np.ndarray, peak: int) -> float:
    """Return where a parabola through the peak and its two neighbours is highest."""
    if not 0 < peak < len(values) - 1:
        return float(peak)
    before, middle, after = values[peak - 1 : peak + 2]
    curvature = before - 2 * middle + after
    return peak + 0.5 * (before - after) / curvature if curvature < 0 else float(peak)


FOUND: Final = 0.3
"""Peak of a float32 heatmap from which on its keypoint counts as found. Below, several peaks are about as high, and the
highest changes with any rounding."""

FAR: Final = 0.02  # share of the input's longer side beyond which a keypoint has moved far

MAX_DRIFT: Final = 0.01
"""Bound on the 95th percentile of the shifts of found keypoints, as a share of the input's longer side."""


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Distances between the keypoints of two networks, input pixels; NaN where there are none."""

    num_keypoints: int  # how many were compared
    median: float  # of the distances
    percentile_95: float  # of the distances
    share_far: float  # share of the distances above FAR


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far a quantised network is from the same network in float32."""

    num_crops: int  # how many were compared
    side: int  # longer side of the input, pixels
    difference: float  # largest absolute difference of an output's value
    found: Shifts  # shifts of the keypoints that the float32 network finds, see FOUND
    every: Shifts  # shifts of all keypoints

    def is_within(self, pixels: float) -> bool:
        """Whether 95% of the found keypoints moved by at most so many input pixels; False if none is found."""
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
    expected: Outputs, given: Outputs, *, distances: NDArray[np.float64], input_size: tuple[int, int]
) -> Drift:
    """Summarise how a quantised network's outputs, for the same crops, differ from those ``expected``, in float32.

    ``distances`` (B, K) are between their keypoints, see :func:`measure_shifts`; ``input_size`` is (width, height).
    """
    side = max(input_size)

    def summarise(each: NDArray[np.float64]) -> Shifts:
        if not each.size:
            return Shifts(num_keypoints=0, median=np.nan, percentile_95=np.nan, share_far=np.nan)
        return Shifts(
            num_keypoints=each.size,
            median=float(np.median(each)),
            percentile_95=float(np.percentile(each, 95)),
            share_far=float((each > FAR * side).mean()),
        )

    return Drift(
        num_crops=len(distances),
        side=side,
        difference=max_difference(list(zip(expected, given, strict=True))),
        found=summarise(distances[expected[0].max(axis=(2, 3)) >= FOUND]),
        every=summarise(distances.ravel()),
    )
