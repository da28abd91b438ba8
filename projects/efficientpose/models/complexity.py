"""The table of variants that ``efficientpose models`` prints."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.core.variants import VARIANTS, ReportedFigures, Variant
from efficientpose.models.build import build_network
from efficientpose.models.head import EfficientPoseHead


class Complexity(NamedTuple):
    """Counts of a deployed network; ``fixed_`` ones have the fixed upsampling instead, as our own networks."""

    parameters: int
    flops: int
    fixed_parameters: int
    fixed_flops: int


class _Deployed(nn.Module):
    """The part of a pose estimator that runs at inference."""

    def __init__(self, network: TopdownPoseEstimator) -> None:
        super().__init__()
        self.extract_features = network.extract_feat
        self.head: EfficientPoseHead = network.head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, H, W) to the final heatmaps."""
        return self.head.forward_deployed(self.extract_features(images))


def _batch_norm_flops(input_shape: torch.Size, *_args: object, **_kwargs: object) -> int:
    """One multiply-add an element, as a batch norm at inference is."""
    return 2 * input_shape.numel()


_BATCH_NORM_OPS = (torch.ops.aten.native_batch_norm, torch.ops.aten._native_batch_norm_legit_no_training)


def count_parameters(network: TopdownPoseEstimator) -> int:
    """Count parameters and running statistics of the deployed graph."""
    not_deployed = {id(parameter) for each in network.head.passes[:-1] for parameter in each.predict.parameters()}
    tensors = network.state_dict(keep_vars=True)
    return sum(
        tensor.numel()
        for key, tensor in tensors.items()
        if id(tensor) not in not_deployed and not key.endswith("num_batches_tracked")
    )


def count_complexity(variant: Variant) -> Complexity:
    """Count one variant, without computing anything (on PyTorch's meta device)."""
    counts = []
    for upsampling in ("transposed_conv", "bilinear"):
        network = build_network(variant.name, upsampling=upsampling).to("meta").eval()
        parameters = count_parameters(network)
        width, height = variant.input_size
        counter = FlopCounterMode(display=False, custom_mapping=dict.fromkeys(_BATCH_NORM_OPS, _batch_norm_flops))
        with counter, torch.no_grad():
            _Deployed(network)(torch.empty(1, 3, height, width, device="meta"))
        counts.append((parameters, counter.get_total_flops()))
    (parameters, flops), (fixed_parameters, fixed_flops) = counts
    return Complexity(parameters=parameters, flops=flops, fixed_parameters=fixed_parameters, fixed_flops=fixed_flops)


class CountedVariant(NamedTuple):
    """A variant and what was counted on its network."""

    variant: Variant
    counted: Complexity


def count_variants() -> list[CountedVariant]:
    """Build and count all."""
    return [CountedVariant(variant, count_complexity(variant)) for variant in VARIANTS.values()]


def print_json(rows: Sequence[CountedVariant]) -> None:
    """Print a JSON list of objects; sizes are [width, height], and null is what the authors do not say there."""
    documents: list[dict[str, Any]] = [
        {
            "name": variant.name,
            "input_size": list(variant.input_size),
            "channels": variant.channels,
            "depth": variant.num_blocks,
            "high_backbone": variant.high_arch,
            "low_backbone": variant.low_arch,
            "parameters": counted.parameters,
            "flops": counted.flops,
            "parameters_fixed_upsampling": counted.fixed_parameters,
            "flops_fixed_upsampling": counted.fixed_flops,
        }
        for variant, counted in rows
    ]
    for document, (variant, _) in zip(documents, rows, strict=True):
        for source, figures in (("paper", variant.paper), ("repository", variant.repository)):
            document |= {
                f"{source}_{field.name}": figures and getattr(figures, field.name) for field in fields(ReportedFigures)
            }
    print(json.dumps(documents, indent=2))


def print_table(rows: Sequence[CountedVariant]) -> None:
    """Print the same as a table, with what is counted below it."""
    table = Table(title="EfficientPose (Groos et al. 2020)", box=SIMPLE_HEAD)
    for heading in ("model", "input", "C", "D", "parameters", "(authors)", "FLOPs", "(authors)", "as run"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for variant, counted in rows:
        table.add_row(
            variant.name,
            str(variant.resolution),
            str(variant.channels),
            str(variant.num_blocks),
            f"{counted.parameters:,}",
            f"{variant.reported.parameters / 1e6:.2f}M",
            f"{counted.flops / 1e9:.3f}G",
            f"{variant.reported.flops / 1e9:.2f}G",
            f"{counted.fixed_flops / 1e9:.3f}G",
        )
    console = Console()
    console.print(table)
    console.print(
        "input: side in pixels; C: channels; D: Mobile DenseNets in each pass. Counted on the deployed graph (without "
        "the prediction convolutions of the earlier passes), batch-norm statistics included, with the paper's dense "
        "upsampling; as run: the FLOPs here, where upsampling is fixed. Authors: the paper, and for the Lite variants "
        "their repository, whose FLOPs leave batch norms out.",
        style="dim",
    )
