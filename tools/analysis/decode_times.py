"""Time the decoder: from a person's heatmaps to sixteen keypoints, at the resolution of every variant.

Example:
    efficientpose export --model i --to onnx --out models
    python tools/analysis/decode_times.py models/efficientpose_i.onnx

The heatmaps of one image are resized to each variant's cells. Beside ours is the released decoder, a Gaussian blur by
SciPy and argmax of every full-resolution heatmap; both run in turn, 5 ms after one another. Medians are printed. Ours
is then run again and again: it is that fast where nothing else uses the processor's caches.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - lets MMPose be imported
from efficientpose.benchmark.contenders import find_image
from efficientpose.benchmark.decode_times import measure_variants
from efficientpose.core.images import read_image
from efficientpose.core.variants import get_variant
from efficientpose.runtime.estimator import PoseEstimator


def main() -> int:
    """Measure and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Time the decoder at the resolution of every variant.")
    parser.add_argument("file", type=Path, help="a network that efficientpose export wrote")
    parser.add_argument("--image", type=Path, help="image of one person (default: one of ours)")
    parser.add_argument("--rounds", type=int, default=50, help="runs of each (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            image = read_image(arguments.image or find_image(Path(name)))
        estimator = PoseEstimator(arguments.file, threads=1)
        times = measure_variants(estimator, image, rounds=arguments.rounds)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("| resolution of | pixels | ours again and again, ms | in turn: ours, ms | released, ms | same pixels |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for variant, (resolution, sparse, repeated, dense, same) in times.items():
        medians = f"{repeated.wall.median:.2f} | {sparse.wall.median:.2f} | {dense.wall.median:.1f}"
        print(f"| {get_variant(variant).title} | {resolution} | {medians} | {'yes' if same else 'no'} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
