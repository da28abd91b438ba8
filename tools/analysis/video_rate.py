"""Compare the rate of videos, from file to results, with the rate that the network alone allows.

Example:
    efficientpose export --model rt,i,ii --to onnx --out models
    python tools/analysis/video_rate.py models/efficientpose_*.onnx --threads 1

Without --clip it draws one of 1280 x 720 pixels. Everything runs in turn, and medians are compared. "Beside an encoder"
is the network while another thread writes a video and nothing else: the most that a video with overlay can reach.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - lets MMPose be imported
from efficientpose.benchmark.contenders import find_image
from efficientpose.benchmark.video_rate import draw_clip, measure_video_rate
from efficientpose.core.images import read_image
from efficientpose.runtime.estimator import PoseEstimator


def main() -> int:
    """Measure each file and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Compare the rate of videos with the rate of the network alone.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="networks that efficientpose export wrote")
    parser.add_argument("--clip", type=Path, help="video (default: drawn, 1280 x 720 pixels)")
    parser.add_argument("--frames", type=int, default=150, help="of a drawn clip (default: %(default)s)")
    parser.add_argument("--engine", help="onnxruntime, openvino or litert (default: by the file's ending)")
    parser.add_argument("--threads", type=int, default=1, help="of the network (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (default: %(default)s)")
    arguments = parser.parse_args()
    lines = [
        "| network | alone, frames/s | beside an encoder | to overlay and numbers | to numbers |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    try:
        with tempfile.TemporaryDirectory() as name:
            clip = arguments.clip
            if clip is None:
                clip = Path(name) / "clip.mp4"
                draw_clip(read_image(find_image(Path(name))), clip, num_frames=arguments.frames)
            for file in arguments.files:
                estimator = PoseEstimator(file, engine=arguments.engine, threads=arguments.threads)
                alone, *others = measure_video_rate(estimator, clip, rounds=arguments.rounds)
                cells = [f"{rate:.1f} ({rate / alone:.2f})" for rate in others]
                lines.append(f"| {' | '.join((estimator.name, f'{alone:.1f}', *cells))} |")
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
