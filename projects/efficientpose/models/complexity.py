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
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.core.variants import VARIANTS, ReportedFigures, Variant
from efficientpose.models.build import build_network

_BATCH_NORM_OPS = (torch.ops.aten.native_batch_norm, torch.ops.aten._native_batch_norm_legit_no_training)


class CountedVariant(NamedTuple):
    """A variant and the counts of its deployed graph; ``fixed_`` ones have fixed upsampling, as our networks."""

    variant: Variant
    parameters: int
    flops: int
    fixed_parameters: int
    fixed_flops: int


def count_variants() -> list[CountedVariant]:
    """Count every variant."""
    return [count_variant(variant) for variant in VARIANTS.values()]


def count_variant(variant: Variant) -> CountedVariant:
    """Count one variant, without computing anything (on PyTorch's meta device)."""
    counts = []
    width, height = variant.input_size
    for upsampling in ("transposed_conv", "bilinear"):
        network = build_network(variant.name, upsampling=upsampling).to("meta").eval()
        counter = FlopCounterMode(display=False, custom_mapping=dict.fromkeys(_BATCH_NORM_OPS, _batch_norm_flops))
        with counter, torch.no_grad():
            network.head.forward_deployed(network.extract_feat(torch.empty(1, 3, height, width, device="meta")))
        counts += [count_parameters(network), counter.get_total_flops()]
    return CountedVariant(variant, *counts)


def _batch_norm_flops(input_shape: torch.Size, *_args: object, **_kwargs: object) -> int:
    """Count one multiply-add an element, as a batch norm at inference is."""
    return 2 * input_shape.numel()


def count_parameters(network: TopdownPoseEstimator) -> int:
    """Count parameters and running statistics of the deployed graph."""
    not_deployed = {id(parameter) for each in network.head.passes[:-1] for parameter in each.predict.parameters()}
    tensors = network.state_dict(keep_vars=True)
    return sum(
        tensor.numel()
        for key, tensor in tensors.items()
        if id(tensor) not in not_deployed and not key.endswith("num_batches_tracked")
    )


def print_json(rows: Sequence[CountedVariant]) -> None:
    """Print a JSON list of objects; sizes are [width, height], and null is what the authors do not report there."""
    documents: list[dict[str, Any]] = []
    for row in rows:
        variant = row.variant
        document = {
            "name": variant.name,
            "input_size": list(variant.input_size),
            "channels": variant.channels,
            "depth": variant.num_blocks,
            "high_backbone": variant.high_arch,
            "low_backbone": variant.low_arch,
            "parameters": row.parameters,
            "flops": row.flops,
            "parameters_fixed_upsampling": row.fixed_parameters,
            "flops_fixed_upsampling": row.fixed_flops,
        }
        for source, figures in (("paper", variant.paper), ("repository", variant.repository)):
            document |= {
                f"{source}_{field.name}": figures and getattr(figures, field.name) for field in fields(ReportedFigures)
            }
        documents.append(document)
    print(json.dumps(documents, indent=2))


def print_table(rows: Sequence[CountedVariant]) -> None:
    """Print the same as a table, with what is counted below it."""
    table = Table(title="EfficientPose (Groos et al. 2020)", box=SIMPLE_HEAD)
    for heading in ("model", "input", "C", "D", "parameters", "(authors)", "FLOPs", "(authors)", "as run"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for variant, parameters, flops, _, fixed_flops in rows:
        table.add_row(
            variant.name,
            *map(str, (variant.resolution, variant.channels, variant.num_blocks)),
            *(f"{parameters:,}", f"{variant.reported.parameters / 1e6:.2f}M"),
            *(f"{flops / 1e9:.3f}G", f"{variant.reported.flops / 1e9:.2f}G", f"{fixed_flops / 1e9:.3f}G"),
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
