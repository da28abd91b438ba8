"""Measure targets drawn on the device against MMPose's way, targets encoded in the data loader.

Example:
    python tools/bench_train.py --out bench_train.json

For the input sizes of RT, I, II and III, with batches and workers as in their configs, it compares the samples a second
of the data pipeline (read, augmented, packed, collated, sent and dropped) and of a training step (batch to the device,
forward, loss, backward), and the memory of the loader's workers, the sum of their largest resident sets. Both ways take
turns, and the ratio is the median of the turns': other load counts for both. Without ``--data-root``, synthetic people
are drawn and enlarged to 1280 pixels, about MPII's size: larger images bring the ratio closer to 1.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from rich.console import Console
from rich.table import Table

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.benchmark.training import compare_pipelines, compare_steps, enlarge_images
from efficientpose.core.files import replacing
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.engine.cpu import ask_for_huge_pages, keep_freed_memory
from synthetic_people.generate import Plan, generate

STEP_BATCH_ON_CPU = {"rt": 8, "i": 4, "ii": 2, "iii": 1}  # enough for a second or so

Row = dict[str, Any]


def main() -> int:
    """Measure, print the table and write it; return the exit status."""
    parser = argparse.ArgumentParser(description="Measure targets on the device against targets in the data loader.")
    parser.add_argument("--data-root", type=Path, help="folder in MPII's layout (default: draw synthetic people)")
    parser.add_argument("--picture-width", type=int, default=1280, help="of synthetic images (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=64, help="read in each repetition (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="of each way (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="only see that it runs: RT, few samples, one repetition")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    ask_for_huge_pages()  # as tools/train.py and its runs do
    keep_freed_memory()
    console = Console()
    variants = ["rt"] if arguments.quick else list(STEP_BATCH_ON_CPU)
    num_samples, repetitions = (8, 1) if arguments.quick else (arguments.samples, arguments.repetitions)
    try:
        with tempfile.TemporaryDirectory() as folder:
            data_root = arguments.data_root
            if data_root is None:
                data_root = Path(folder) / "mpii"
                with console.status(f"drawing {num_samples} images"):
                    generate(Plan(num_train=num_samples, num_val=1, num_workers=2), data_root)
                    enlarge_images(data_root, width=arguments.picture_width)
            rows = measure(variants, data_root, num_samples=num_samples, repetitions=repetitions, console=console)
        if arguments.out is not None:
            with replacing(arguments.out) as partial:
                partial.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console.print(make_table(rows))
    return 0


def measure(variants: list[str], data_root: Path, *, num_samples: int, repetitions: int, console: Console) -> list[Row]:
    """Measure variants: first all pipelines, whose workers start as copies of this process, while it is small."""
    configs = {variant: Config.fromfile(mpii_config_path(variant)) for variant in variants}
    rows = []
    for variant, config in configs.items():
        with console.status(f"measuring the pipeline of {variant}"):
            pipeline = compare_pipelines(config, data_root=data_root, num_samples=num_samples, repetitions=repetitions)
        row = {"variant": variant, "input_size": list(config.model.head.decoder.input_size)}
        memory = {"device": pipeline.device_memory, "loader": pipeline.loader_memory}
        rows.append(row | {"pipeline": pipeline.speed._asdict(), "worker_memory": memory})
    for row, (variant, config) in zip(rows, configs.items(), strict=True):
        batch_size = config.train_dataloader.batch_size if torch.cuda.is_available() else STEP_BATCH_ON_CPU[variant]
        batch_size = min(batch_size, num_samples)
        with console.status(f"measuring a training step of {variant}"):
            step = compare_steps(config, data_root=data_root, batch_size=batch_size, repetitions=repetitions)
        row["step"] = step._asdict() | {"batch_size": batch_size}
    return rows


def make_table(rows: list[Row]) -> Table:
    """Return the measurements as a table."""
    table = Table(title="Targets drawn on the device / encoded in the loader")
    for name in ("input", "pipeline\nsamples/s", "ratio", "step\nsamples/s", "ratio", "workers\nMiB", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [str(row["input_size"][0])]
        for part in (row["pipeline"], row["step"]):
            cells += [f"{part['device']:.3g} / {part['loader']:.3g}", f"{part['ratio']:.2f}"]
        device, loader = row["worker_memory"].values()
        is_known = None not in (device, loader)
        cells += [f"{device:.0f} / {loader:.0f}", f"{device / loader:.2f}"] if is_known else ["unknown", ""]
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
