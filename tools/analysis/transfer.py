"""Fine-tune to LSP's own 14 keypoints from the released weights and from scratch, and print a table.

python tools/analysis/transfer.py FOLDER_OF_LSPET --out work_dirs/transfer
python tools/analysis/transfer.py FOLDER_OF_LSPET --out work_dirs/transfer --photographs 200 --start released

It trains on the first 200 and the first 2,000 photographs of LSP Extended's training part, at one budget for both
starts, and scores PCK@0.2 of the torso on the validation part. Runs that are done are not repeated, and those that were
stopped go on, so the same command serves again.
"""

import argparse
import sys
from pathlib import Path

from transfer_runs import EPOCHS, STARTS, TransferRun, read_score, render, train

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of LSP Extended, with joints.mat and images/")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/transfer"), help="default: %(default)s")
    parser.add_argument("--photographs", type=int, nargs="+", default=list(EPOCHS), help="default: 200 2000")
    parser.add_argument("--start", choices=STARTS, nargs="+", default=list(STARTS), help="default: both")
    parser.add_argument("--epochs", type=int, help="passes over the photographs (default: 16 for 200, 4 for 2000)")
    parser.add_argument("--weights", help="checkpoint in place of the released one")
    return parser.parse_args()


def main() -> None:
    """Train what is asked for, one run after the other, and print the scores there are."""
    args = parse_args()
    runs = [
        TransferRun(
            photographs=photographs,
            start=start,
            epochs=args.epochs or EPOCHS.get(photographs) or max(1, 8000 // photographs),
            weights=args.weights,
        )
        for photographs in args.photographs
        for start in args.start
    ]
    try:
        for run in runs:
            train(run, args.source, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(render([score for run in runs if (score := read_score(run, args.out)) is not None]))


if __name__ == "__main__":
    main()
