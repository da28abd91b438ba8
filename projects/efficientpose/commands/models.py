"""``efficientpose models``: the variants, what they cost, and what their authors report."""

import argparse
import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from efficientpose.core.variants import OPENPOSE, VARIANTS, ReportedFigures, Variant


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``models`` to the commands."""
    parser = commands.add_parser("models", help="list the variants and what they cost", description=models.__doc__)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.set_defaults(run=models)


def models(options: argparse.Namespace) -> int:
    """List every variant's and OpenPose's parameters and FLOPs next to the authors' figures."""
    networks = (*VARIANTS.values(), OPENPOSE)
    print_json(networks) if options.json else print_table(networks)
    return 0


def print_json(variants: Iterable[Variant]) -> None:
    """Print a JSON list of objects; sizes are [width, height], and null is what the authors do not report there."""
    documents: list[dict[str, Any]] = []
    for variant in variants:
        document = {
            "name": variant.name,
            "input_size": list(variant.input_size),
            "channels": variant.channels,
            "depth": variant.num_blocks,
            "high_backbone": variant.high_arch,
            "low_backbone": variant.low_arch,
            "parameters": variant.deployed_parameters,
            "flops": variant.deployed_flops,
            "parameters_fixed_upsampling": variant.fixed_parameters,
            "flops_fixed_upsampling": variant.fixed_flops,
        }
        for source, figures in (("paper", variant.paper), ("repository", variant.repository)):
            document |= {
                f"{source}_{field.name}": figures and getattr(figures, field.name) for field in fields(ReportedFigures)
            }
        documents.append(document)
    print(json.dumps(documents, indent=2))


def print_table(variants: Iterable[Variant]) -> None:
    """Print the same as a table, with what is counted below it."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title="EfficientPose (Groos et al. 2020)", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in ("model", "input", "C", "D", "parameters", "(authors)", "FLOPs", "(authors)", "as run"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for variant in variants:
        table.add_row(
            variant.name,
            *map(str, (variant.resolution, variant.channels, variant.num_blocks)),
            *(f"{variant.deployed_parameters:,}", f"{variant.reported.parameters / 1e6:.2f}M"),
            *(f"{variant.deployed_flops / 1e9:.3f}G", f"{variant.reported.flops / 1e9:.2f}G"),
            f"{variant.fixed_flops / 1e9:.3f}G",
        )
    console = Console()
    console.print(table)
    console.print(
        "input: side in pixels; C: channels; D: Mobile DenseNets in each pass. Counted on the deployed graph (without "
        "the prediction convolutions of the earlier passes), batch-norm statistics included, with the paper's dense "
        "upsampling; as run: the FLOPs here, where upsampling is fixed. Authors: the paper, and for the Lite variants "
        "their repository, whose FLOPs leave batch norms out. OpenPose, the paper's baseline, has dense blocks of full "
        "convolutions, does not upsample, and has biases in place of batch norms.",
        style="dim",
    )
