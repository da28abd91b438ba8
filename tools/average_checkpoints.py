"""Average a fine-tuned checkpoint with the one it started from.

Fine-tuning forgets. Weights on the straight line between both ends keep most of what either can (Wortsman et al. 2022,
arXiv 2109.01903).

python tools/average_checkpoints.py efficientpose://rt work_dirs/efficientpose_rt_allround/iter_664.pth averaged.pth \
    --share 0.5
python tools/publish_checkpoint.py averaged.pth efficientpose_rt_allround.pth --variant rt --source "..."
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

import efficientpose.plugin  # noqa: F401 - it registers efficientpose://


def average_weights(
    released: Mapping[str, Tensor], finetuned: Mapping[str, Tensor], *, share: float
) -> dict[str, Tensor]:
    """Return (1 - share) · released + share · finetuned of two state dicts, batch norm statistics included.

    Raises:
        ValueError: If the share is not 0 to 1, or the two are of different networks.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be 0 to 1, got {share}")
    shapes = [{name: tuple(tensor.shape) for name, tensor in each.items()} for each in (released, finetuned)]
    if odd := sorted(name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)):
        raise ValueError(f"the two are of different networks: {len(odd)} weights differ in shape, first {odd[0]}")
    return {
        name: ((1 - share) * tensor + share * finetuned[name]) if tensor.is_floating_point() else finetuned[name]
        for name, tensor in released.items()
    }


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
