"""Keep the weights of a training's checkpoint, and the source of its training data.

Example:
    python tools/publish_checkpoint.py work_dirs/efficientpose_rt_mpii/epoch_200.pth efficientpose_rt.pth --variant rt \
        --source "MPII, common split"
    python tools/publish_checkpoint.py work_dirs/infants/epoch_20.pth infants.pth --config infants.py --source "ours"
"""

import argparse
import sys
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.inference.estimator import build_model
from efficientpose.weights.checkpoint import publish_checkpoint


def main() -> int:
    """Write the checkpoint; return the exit status."""
    parser = argparse.ArgumentParser(description="Keep the weights of a training's checkpoint.")
    parser.add_argument("training_checkpoint", type=Path)
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument("--variant", help="what was trained: rt, i, ii, iii or iv")
    network.add_argument("--config", type=Path, help="config of a network of your own, in place of --variant")
    parser.add_argument("--source", required=True, help="what the weights were trained on")
    arguments = parser.parse_args()
    try:
        own = None if arguments.config is None else build_model(arguments.config, device="cpu")
        name = arguments.variant or arguments.config.stem
        checkpoint, out, source = arguments.training_checkpoint, arguments.out, arguments.source
        publish_checkpoint(checkpoint, out, variant=name, source=source, network=own)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
