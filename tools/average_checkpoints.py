"""Average a fine-tuned checkpoint with the one it started from, and keep the result as a checkpoint.

python tools/average_checkpoints.py efficientpose://rt work_dirs/efficientpose_rt_allround/iter_664.pth averaged.pth \
    --share 0.5
python tools/publish_checkpoint.py averaged.pth efficientpose_rt_allround.pth --variant rt --source "..."
"""

import argparse
from pathlib import Path

import torch
from mmengine.runner.checkpoint import CheckpointLoader

import efficientpose.plugin  # noqa: F401 - it registers efficientpose://
from efficientpose.weights.average import average_weights


def main() -> None:
    """Average and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("released", help="the checkpoint that fine-tuning started from")
    parser.add_argument("finetuned", help="the fine-tuned one")
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    parser.add_argument("--share", type=float, required=True, help="of the fine-tuned weights, 0 to 1")
    args = parser.parse_args()
    ends = [CheckpointLoader.load_checkpoint(name, map_location="cpu") for name in (args.released, args.finetuned)]
    try:
        weights = average_weights(*(end.get("state_dict", end) for end in ends), share=args.share)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    torch.save({"state_dict": weights}, args.out)
    print(f"{args.out}: {args.share:g} of {args.finetuned}, the rest of {args.released}")


if __name__ == "__main__":
    main()
