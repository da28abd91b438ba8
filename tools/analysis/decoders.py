"""Score ways of decoding on the same heatmaps: the network runs once, so that nothing else differs."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.structures import PoseDataSample

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.core.decoding import Peaks
from efficientpose.evaluation.pckh_metric import PCKh
from efficientpose.models.head import EfficientPoseHead

THRESHOLDS: Final = (0.05, 0.1, 0.2, 0.5)

Decoder = Callable[[np.ndarray], Peaks]
"""From heatmaps (1, K, h, w) at stride 8."""


class CoarseMaps(NamedTuple):
    """What a network says of a data set.

    Attributes:
        heatmaps: (N, K, h, w) float32 at stride 8.
        samples: N, with the truth and where their crops lie.
    """

    heatmaps: np.ndarray
    samples: list[PoseDataSample]


class DecoderResult(NamedTuple):
    """How one decoder did.

    Attributes:
        scores: Percentages by name, such as "PCKh@0.1" and "torso/PCK@0.05", with "_low" and "_high" for the bounds of
            the 95% intervals.
        milliseconds: Median time of a person.
    """

    scores: dict[str, float]
    milliseconds: float


def predict_coarse_maps(model: TopdownPoseEstimator, config: Config, *, num_people: int | None = None) -> CoarseMaps:
    """Run a network over its config's test set.

    Args:
        model: With weights.
        config: Its config.
        num_people: The first so many; None for all.

    Raises:
        ValueError: If the head is not one whose maps are upsampled bilinearly and decoded by our codec.
    """
    head = model.head
    if not isinstance(head, EfficientPoseHead) or not head.decodes_sparsely:
        raise ValueError("decoders are compared on an EfficientPoseHead with bilinear upsampling and a sparse decoder")
    loader = config.test_dataloader.copy()
    loader.dataset = loader.dataset | dict(indices=num_people)
    heatmaps: list[np.ndarray] = []
    samples: list[PoseDataSample] = []
    for batch in Runner.build_dataloader(loader):
        with torch.no_grad():
            data = model.data_preprocessor(batch, False)
            maps = head.forward_coarse(model.extract_feat(data["inputs"]))
        heatmaps.append(maps.float().cpu().numpy())
        samples.extend(data["data_samples"])
    return CoarseMaps(heatmaps=np.concatenate(heatmaps), samples=samples)


def make_decoders(model: TopdownPoseEstimator) -> dict[str, Decoder]:
    """Return the decoders to compare: dense, as released; sparse; sparse with subpixel refinement."""
    codec = model.head.decoder
    refining = FullResolutionHeatmap(
        input_size=codec.input_size, limbs=codec.limbs, blur_sigma=codec.blur_sigma, subpixel=True
    )
    upsample = model.head.upsampler

    def decode_densely(heatmaps: np.ndarray) -> Peaks:
        with torch.no_grad():
            (full,) = upsample(torch.from_numpy(heatmaps)).numpy()
        return Peaks(*codec.decode(full))

    return {"dense": decode_densely, "sparse": codec.decode_sparsely, "subpixel": refining.decode_sparsely}


def compare_decoders(
    model: TopdownPoseEstimator, maps: CoarseMaps, *, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, DecoderResult]:
    """Score each decoder and measure its time; they take turns, so that other load counts for all.

    Args:
        model: Whose maps they are.
        maps: Of one data set.
        thresholds: Fractions of head and torso at which a keypoint is still right.
    """
    decoders = make_decoders(model)
    times: dict[str, list[float]] = {name: [] for name in decoders}
    peaks: dict[str, list[Peaks]] = {name: [] for name in decoders}
    for heatmaps in maps.heatmaps:
        for name, decode in decoders.items():
            start = perf_counter()
            peaks[name].append(decode(heatmaps[None]))
            times[name].append(perf_counter() - start)
    return {
        name: DecoderResult(
            scores=_score(model, peaks[name], maps.samples, thresholds=thresholds),
            milliseconds=1000 * float(np.median(times[name])),
        )
        for name in decoders
    }


def _score(
    model: TopdownPoseEstimator,
    peaks: Sequence[Peaks],
    samples: Sequence[PoseDataSample],
    *,
    thresholds: Sequence[float],
) -> dict[str, float]:
    # Copies: placing keypoints in the image overwrites them.
    instances = [InstanceData(keypoints=each.keypoints.copy(), keypoint_scores=each.scores) for each in peaks]
    placed = [sample.to_dict() for sample in model.add_pred_to_datasample(instances, None, list(samples))]
    scores: dict[str, float] = {}
    for norm in ("head", "torso"):
        metric = PCKh(thresholds=thresholds, norm=norm)
        metric.process(None, placed)
        scores |= metric.evaluate(len(placed))
    return scores
