"""Compare ways of decoding heatmaps: scores at tight thresholds, and time per person.

Example:
    python tools/analysis/compare_decoders.py configs/efficientpose_rt_lspet.py --variant rt --people 400

The network runs once over the config's test set; then the same heatmaps are decoded densely as released (upsampled,
blurred, highest pixel), sparsely (the same peaks) and sparsely with subpixel refinement. Scored are PCKh, of 0.6 times
the head's diagonal, and PCK of the torso, with 95% intervals from resampling people.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from rich.console import Console
from rich.table import Table

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.core.decoding import Peaks
from efficientpose.core.files import replacing
from efficientpose.evaluation.pckh_metric import PCKh
from efficientpose.models.head import EfficientPoseHead
from efficientpose.weights.checkpoint import load_checkpoint
from efficientpose.weights.find import find_weights

if TYPE_CHECKING:
    from mmpose.models.pose_estimators import TopdownPoseEstimator

THRESHOLDS: Final = (0.05, 0.1, 0.2, 0.5)

Decoder = Callable[[np.ndarray], Peaks]  # from heatmaps (1, K, h, w) at stride 8


class CoarseHeatmaps(NamedTuple):
    """A network's output on a dataset, and its N samples, with the ground truth and their crops' places."""

    heatmaps: np.ndarray  # (N, K, h, w) float32 at stride 8
    samples: list[PoseDataSample]


class DecoderResult(NamedTuple):
    """One decoder's result."""

    scores: dict[str, float]  # percentages, such as "PCKh@0.1" and, of its 95% interval, "PCKh@0.1_low" and "_high"
    milliseconds: float  # median time of a person


def main() -> int:
    """Print the comparison; return the exit status."""
    parser = argparse.ArgumentParser(description="Compare ways of decoding heatmaps.")
    parser.add_argument("config", type=Path, help="config with the network and the test set")
    parser.add_argument("--variant", required=True, help="rt, i, ii, iii or iv: whose weights to find, and check")
    parser.add_argument("--weights", type=Path, help="checkpoint or released file (default: the variant's)")
    parser.add_argument("--people", type=int, help="only the first so many of the test set (default: all)")
    parser.add_argument("--json", type=Path, help="file to write all scores to")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="change settings: key=value ...")
    arguments = parser.parse_args()
    MMLogger.get_instance("mmengine").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    try:
        results = compare(arguments)
        if arguments.json is not None:
            with replacing(arguments.json) as partial:
                partial.write_text(json.dumps({name: result._asdict() for name, result in results.items()}, indent=1))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Console(width=160).print(make_table(results))
    return 0


def compare(arguments: argparse.Namespace) -> dict[str, DecoderResult]:
    """Run the network and its decoders."""
    from mmpose.apis import init_model

    config = Config.fromfile(arguments.config)
    config.merge_from_dict(arguments.cfg_options or {})
    model = init_model(config, device="cpu")
    load_checkpoint(model, find_weights(arguments.variant, explicit=arguments.weights), variant=arguments.variant)
    return compare_decoders(model, predict_coarse_heatmaps(model, config, num_people=arguments.people))


def predict_coarse_heatmaps(
    model: "TopdownPoseEstimator", config: Config, *, num_people: int | None = None
) -> CoarseHeatmaps:
    """Run a network over its config's test set, or the first ``num_people`` of it."""
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
            coarse = head.forward_coarse(model.extract_feat(data["inputs"]))
        heatmaps.append(coarse.float().cpu().numpy())
        samples.extend(data["data_samples"])
    return CoarseHeatmaps(heatmaps=np.concatenate(heatmaps), samples=samples)


def compare_decoders(
    model: "TopdownPoseEstimator", predicted: CoarseHeatmaps, *, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, DecoderResult]:
    """Score each decoder on a network's output and time it; they take turns, so that other load counts for all."""
    decoders = make_decoders(model)
    times: dict[str, list[float]] = {name: [] for name in decoders}
    peaks: dict[str, list[Peaks]] = {name: [] for name in decoders}
    for heatmaps in predicted.heatmaps:
        for name, decode in decoders.items():
            start = perf_counter()
            peaks[name].append(decode(heatmaps[None]))
            times[name].append(perf_counter() - start)
    scores = {name: _score(model, peaks[name], predicted.samples, thresholds=thresholds) for name in decoders}
    return {name: DecoderResult(scores[name], 1000 * float(np.median(times[name]))) for name in decoders}


def make_decoders(model: "TopdownPoseEstimator") -> dict[str, Decoder]:
    """Return the decoders to compare: dense, as released; sparse; sparse with subpixel refinement."""
    codec = model.head.decoder
    settings = dict(input_size=codec.input_size, limbs=codec.limbs, blur_sigma=codec.blur_sigma)
    refining = FullResolutionHeatmap(**settings, subpixel=True)
    upsample = model.head.upsampler

    def decode_densely(heatmaps: np.ndarray) -> Peaks:
        with torch.no_grad():
            (full,) = upsample(torch.from_numpy(heatmaps)).numpy()
        return Peaks(*codec.decode(full))

    return {"dense": decode_densely, "sparse": codec.decode_sparsely, "subpixel": refining.decode_sparsely}


def _score(
    model: "TopdownPoseEstimator", peaks: Sequence[Peaks], samples: list[PoseDataSample], *, thresholds: Sequence[float]
) -> dict[str, float]:
    # Copies: placing keypoints in the image overwrites them.
    instances = [InstanceData(keypoints=each.keypoints.copy(), keypoint_scores=each.scores) for each in peaks]
    placed = [sample.to_dict() for sample in model.add_pred_to_datasample(instances, None, samples)]
    scores: dict[str, float] = {}
    for norm in ("head", "torso"):
        metric = PCKh(thresholds=thresholds, norm=norm)
        metric.process(None, placed)
        scores |= metric.evaluate(len(placed))
    return scores


def make_table(results: dict[str, DecoderResult]) -> Table:
    """Return the scores, a row for each decoder."""
    keys = [f"{measure}@{threshold:g}" for measure in ("PCKh", "torso/PCK") for threshold in THRESHOLDS]
    table = Table("decoder", *keys, "ms a person")
    for name, (scores, milliseconds) in results.items():
        cells = [f"{scores[key]:.2f}\n{scores[f'{key}_low']:.1f} to {scores[f'{key}_high']:.1f}" for key in keys]
        table.add_row(name, *cells, f"{milliseconds:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
