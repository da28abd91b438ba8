"""Convert MPII's release to annotation files.

python tools/dataset_converters/mpii_mat2json.py mpii_human_pose_v1_u12_1.mat data/mpii/annotations

It writes mpii_trainval.json, mpii_test.json, and a random split of the former: mpii_random_train.json,
mpii_random_val.json and, for PCKh, mpii_random_gt_val.mat.
"""

import argparse
from pathlib import Path

from mpii_release import (
    read_release,
    select_test,
    select_training,
    split_at_random,
    write_annotations,
    write_headboxes,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release_file", type=Path, help="mpii_human_pose_v1_u12_1.mat")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--num-val", type=int, default=3000, help="people to validate on (the paper's 3,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random split")
    return parser.parse_args()


def convert(release_file: Path, out_dir: Path, *, num_val: int, seed: int) -> dict[str, int]:
    """Convert; return how many people went where.

    Raises:
        OSError: If the release is absent or a file cannot be written.
        ValueError: If it is not MPII's release, cannot be split so, or somebody to validate on has no head box.
    """
    people = read_release(release_file)
    training = select_training(people)
    split = split_at_random(training, num_val=num_val, seed=seed)
    write_headboxes(out_dir / "mpii_random_gt_val.mat", split.val)  # first, since it may refuse the people
    parts = {"trainval": training, "test": select_test(people), "random_train": split.train, "random_val": split.val}
    for name, selected in parts.items():
        write_annotations(out_dir / f"mpii_{name}.json", selected)
    return {name: len(selected) for name, selected in parts.items()}


def main() -> None:
    """Convert, and say how many people went where."""
    args = parse_args()
    try:
        counts = convert(args.release_file, args.out_dir, num_val=args.num_val, seed=args.seed)
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    for name, count in counts.items():
        print(f"mpii_{name}.json: {count} people")


if __name__ == "__main__":
    main()
