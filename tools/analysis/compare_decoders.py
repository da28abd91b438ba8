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
from pathlib import Path

import torch
from decoders import (
    THRESHOLDS,
    DecoderResult,
    compare_decoders,
    predict_coarse_maps,
)
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.core.files import replacing
from efficientpose.weights.checkpoint import load_checkpoint
from efficientpose.weights.find import find_weights


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Compare ways of decoding heatmaps.")
    parser.add_argument("config", type=Path, help="config with the network and the test set")
    parser.add_argument("--variant", required=True, help="rt, i, ii, iii or iv: whose weights to find, and check")
    parser.add_argument("--weights", type=Path, help="checkpoint or released file (default: the variant's)")
    parser.add_argument("--people", type=int, help="only the first so many of the test set (default: all)")
    parser.add_argument("--json", type=Path, help="file to write all scores to")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="change settings: key=value ...")
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> dict[str, DecoderResult]:
    """Run the network and its decoders.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If config, weights or data are unusable.
    """
    from mmpose.apis import init_model

    config = Config.fromfile(arguments.config)
    config.merge_from_dict(arguments.cfg_options or {})
    model = init_model(config, device="cpu")
    load_checkpoint(model, find_weights(arguments.variant, explicit=arguments.weights), variant=arguments.variant)
    maps = predict_coarse_maps(model, config, num_people=arguments.people)
    return compare_decoders(model, maps)


def make_table(results: dict[str, DecoderResult]) -> Table:
    """Return the scores, a row for each decoder."""
    keys = [f"{measure}@{threshold:g}" for measure in ("PCKh", "torso/PCK") for threshold in THRESHOLDS]
    table = Table("decoder", *keys, "ms a person")
    for name, (scores, milliseconds) in results.items():
        cells = [f"{scores[key]:.2f}\n{scores[f'{key}_low']:.1f} to {scores[f'{key}_high']:.1f}" for key in keys]
        table.add_row(name, *cells, f"{milliseconds:.2f}")
    return table


def main() -> int:
    """Print the comparison; return the exit status."""
    arguments = parse_arguments()
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


if __name__ == "__main__":
    sys.exit(main())
