"""The table of variants that ``efficientpose models`` prints."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from efficientpose.models.complexity import Complexity, count_complexity
from efficientpose.variants import VARIANTS, ReportedFigures, Variant


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
