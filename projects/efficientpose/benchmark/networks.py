"""Get a variant ready to be measured: weights, and files for the engines."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from mmpose.apis import init_model
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn
from torch.optim.swa_utils import update_bn
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.benchmark.plan import ENGINES, Plan
from efficientpose.benchmark.released_pipeline import find_released_model
from efficientpose.core.shipped_files import mpii_config_path, starter_checkpoint
from efficientpose.core.variants import Variant
from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.files import export_files
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.sample_crops import Crops, find_crops
from efficientpose.weights.find import WeightsNotFoundError

PREDICTION_SCALE: Final = 1e-3  # brings the heatmaps of random weights to the size of trained ones, below 1


class LoadedModel(NamedTuple):
    """An MMPose model on the CPU, in evaluation mode, and the source of its weights in words."""

    model: TopdownPoseEstimator
    weights: str


def load_model(variant: Variant, plan: Plan) -> LoadedModel:
    """Load a variant: with the weights of the released model it is compared with, released ones, or random ones."""
    if plan.random_weights:
        return _build_random(variant)
    if plan.official is not None:
        file = find_released_model(plan.official, variant)
        return LoadedModel(TorchPoseEstimator.load(variant.name, weights=file).model, f"of {file.name}")
    try:
        return LoadedModel(TorchPoseEstimator.load(variant.name).model, "released")
    except WeightsNotFoundError:
        if variant.name != "rt":
            return _build_random(variant)
        return LoadedModel(TorchPoseEstimator.load("rt", weights=starter_checkpoint()).model, "the starter checkpoint")


def _build_random(variant: Variant) -> LoadedModel:
    torch.manual_seed(0)
    model = init_model(str(mpii_config_path(variant.name)), device="cpu")
    settle_random_weights(model)
    return LoadedModel(model, "random")


def settle_random_weights(model: TopdownPoseEstimator) -> None:
    """Let batch norms see crops, so that random weights give heatmaps with peaks; ends in evaluation mode."""
    with torch.no_grad():
        for name, parameter in model.head.named_parameters():
            if ".predict." in name:
                parameter.mul_(PREDICTION_SCALE)
    images = encode_for_torch(model, find_crops(model.head.decoder.input_size).pixels)
    update_bn([images], _Heatmaps(model))
    model.eval()


class _Heatmaps(nn.Module):
    """A pose estimator that is called with images alone."""

    def __init__(self, model: TopdownPoseEstimator) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> object:
        return self.model(images, None, mode="tensor")


def encode_for_torch(model: TopdownPoseEstimator, crops: Iterable[np.ndarray]) -> torch.Tensor:
    """Return crops (H, W, 3) uint8, RGB, as the network takes them, (B, 3, H, W), on its device."""
    planes = [torch.from_numpy(np.ascontiguousarray(crop[..., ::-1].transpose(2, 0, 1))) for crop in crops]
    images: torch.Tensor = model.data_preprocessor(dict(inputs=planes, data_samples=[]), False)["inputs"]
    return images


def count_flops(model: TopdownPoseEstimator) -> int:
    """Count what a folded network computes for one crop without upsampling: two FLOPs a multiply-add."""
    network = deploy(model, ExportOptions())
    width, height = network.input_size
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, height, width))
    return int(counter.get_total_flops())


def export_for_engines(
    loaded: LoadedModel, variant: Variant, *, engines: Sequence[str], crops: Crops, folder: Path
) -> dict[str, Path]:
    """Export a network for engines, check the files' output on crops, and return engine → file, without PyTorch."""
    formats = {engine: kind for engine in engines if (kind := ENGINES[engine].format) is not None}
    files: dict[str, Path] = {}
    settings: dict[str, Any] = dict(folder=folder, name=variant.name, weights=loaded.weights, crops=crops.pixels)
    for exported in export_files(
        loaded.model, ExportOptions(), formats=list(dict.fromkeys(formats.values())), **settings
    ):
        if not exported.agreement.is_good:
            raise ValueError(f"{exported.path} differs from the model ({exported.agreement}); it is not measured")
        files |= {engine: exported.path for engine, kind in formats.items() if kind == exported.format}
    return files


def find_model_file(variant: str, engine: str, precision: str, *, plan: Plan, exported: Mapping[str, Path]) -> Path:
    """Return the file that an engine runs, of those that were exported or in the folder that the plan names."""
    if plan.models is None:
        return exported[engine]
    suffix = "_int8" if precision == "int8" else ""
    path = plan.models / f"efficientpose_{variant}{suffix}{ENGINES[engine].suffix}"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; efficientpose export writes it, or leave --models-dir out")
    return path
