"""Score exported files on annotated people, side by side: what int8 costs, for instance.

Example:
    python tools/analysis/score_files.py exported/efficientpose_rt_lite.onnx exported/efficientpose_rt_lite_int8.onnx \
        --annotations data/lspet/annotations/lspet_val.json --images data/lspet/images

Scored is PCK of the torso, with 95% intervals from resampling people. All files see the same people, so their
difference is surer than either score.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.core.files import replacing
from efficientpose.evaluation.file_scores import score_files

THRESHOLDS = (0.05, 0.1, 0.2)


def make_table(scores: dict[str, dict[str, float]]) -> Table:
    """Return the scores, a row for each file."""
    keys = [f"torso/PCK@{threshold:g}" for threshold in THRESHOLDS]
    table = Table("file", *keys)
    for file, each in scores.items():
        cells = [f"{each[key]:.2f}\n{each[f'{key}_low']:.1f} to {each[f'{key}_high']:.1f}" for key in keys]
        table.add_row(file, *cells)
    return table


def main() -> int:
    """Print the scores; return the exit status."""
    parser = argparse.ArgumentParser(description="Score exported files on annotated people, side by side.")
    parser.add_argument("files", type=Path, nargs="+", help="networks that efficientpose export wrote")
    parser.add_argument("--annotations", type=Path, required=True, help="people in the form of mpii_val.json")
    parser.add_argument("--images", type=Path, required=True, help="folder of their images")
    parser.add_argument("--people", type=int, help="only the first so many (default: all)")
    parser.add_argument("--engine", help="onnxruntime, openvino or litert (default: by the files' endings)")
    parser.add_argument("--threads", type=int, help="threads of the network (default: all cores)")
    parser.add_argument("--json", type=Path, help="file to write all scores to")
    arguments = parser.parse_args()
    MMLogger.get_instance("mmengine").setLevel(logging.WARNING)
    try:
        people = dict(annotations=arguments.annotations, images=arguments.images, num_people=arguments.people)
        settings = dict(thresholds=THRESHOLDS, engine=arguments.engine, threads=arguments.threads)
        scores = score_files(arguments.files, **people, **settings)
        if arguments.json is not None:
            with replacing(arguments.json) as partial:
                partial.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Console(width=120).print(make_table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
