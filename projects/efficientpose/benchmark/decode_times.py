"""How long finding the peaks takes at every variant's resolution, against blurring and searching full heatmaps."""

from typing import NamedTuple

import cv2
import numpy as np

from efficientpose.benchmark.released_pipeline import find_blurred_peaks
from efficientpose.benchmark.timing import Clocks, Timing, time_in_turn
from efficientpose.core.decoding import STRIDE, SparsePeakFinder, make_axis_matrices
from efficientpose.core.variants import VARIANTS
from efficientpose.runtime.estimator import PoseEstimator


class DecodeTimes(NamedTuple):
    """Decode times of 16 heatmaps; the released decoder blurs by SciPy and takes ``argmax`` of full heatmaps."""

    resolution: int  # side of the network's input, pixels
    sparse: Timing  # of ours, in turn with the released one, whose full heatmaps empty the processor's caches
    repeated: Timing  # of ours, again and again
    dense: Timing  # of the released one
    same: bool  # whether both find the same pixels


def measure_variants(estimator: PoseEstimator, image: np.ndarray, *, rounds: int) -> dict[str, DecodeTimes]:
    """Time the decoding of heatmaps of a person's image (H, W, 3) uint8, BGR, at each variant's resolution, by name."""
    heatmaps, blur_sigma = estimator.predict_maps(image).heatmaps, estimator.metadata.blur_sigma
    return {
        name: measure_decoding(heatmaps, resolution=variant.resolution, blur_sigma=blur_sigma, rounds=rounds)
        for name, variant in VARIANTS.items()
        if not variant.is_lite
    }


def measure_decoding(heatmaps: np.ndarray, *, resolution: int, blur_sigma: float, rounds: int) -> DecodeTimes:
    """Time both decoders in turn on the same heatmaps (K, h, w), resized to a resolution's cells, then ours alone."""
    side = resolution // STRIDE
    cells = np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_LINEAR) for each in heatmaps])
    finder = SparsePeakFinder((side, side), stride=STRIDE, blur_sigma=blur_sigma)
    upsample = make_axis_matrices(side, stride=STRIDE, blur_sigma=blur_sigma).upsampled
    full = (upsample @ cells @ upsample.T).astype(np.float32)  # (K, resolution, resolution)

    def decode_densely() -> np.ndarray:
        return find_blurred_peaks(full)

    def decode_sparsely() -> np.ndarray:
        return finder.find(cells[None]).keypoints[0]

    times = time_in_turn({"sparse": decode_sparsely, "dense": decode_densely}, rounds=rounds)
    alone = time_in_turn({"sparse": decode_sparsely}, rounds=rounds, clocks=Clocks(sleep=lambda _: None))
    same = bool((decode_sparsely() == decode_densely()).all())
    return DecodeTimes(resolution, times["sparse"], alone["sparse"], times["dense"], same)
