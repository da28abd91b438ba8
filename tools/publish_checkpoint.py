"""Keep the weights of a training's checkpoint, and what they were trained on.

Example:
    python tools/publish_checkpoint.py work_dirs/efficientpose_rt_mpii/epoch_200.pth efficientpose_rt.pth --variant rt \
        --source "MPII, common split"
"""

import argparse
import sys
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.weights.publish import publish_checkpoint


def main() -> int:
    """Write the checkpoint; return the exit status."""
    parser = argparse.ArgumentParser(description="Keep the weights of a training's checkpoint.")
    parser.add_argument("training_checkpoint", type=Path)
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    parser.add_argument("--variant", required=True, help="rt, i, ii, iii or iv")
    parser.add_argument("--source", required=True, help="what the weights were trained on")
    arguments = parser.parse_args()
    try:
        publish_checkpoint(
            arguments.training_checkpoint, arguments.out, variant=arguments.variant, source=arguments.source
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
