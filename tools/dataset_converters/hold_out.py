"""Set a part of a training set's people aside, to choose between runs without looking at the validation people.

python tools/dataset_converters/hold_out.py data/lspet/annotations/lspet_train.json --one-in 27
python tools/dataset_converters/hold_out.py data/mpii_sports/annotations/mpii_train.json --one-in 9

writes ``lspet_fit.json`` and ``lspet_holdout.json`` beside the first. People whose images' names agree up to the first
underscore, as those of one MPII image do, stay together.
"""

import argparse
import json
import zlib
from pathlib import Path


def is_held_out(image: str, *, one_in: int) -> bool:
    """Whether an image is set aside, which depends on its name alone."""
    name = image.split("_", maxsplit=1)[0]
    return zlib.crc32(name.encode()) % one_in == 0


def main() -> None:
    """Write both parts, and say how many people went where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, help="annotations in MPII's layout, NAME_train.json")
    parser.add_argument("--one-in", type=int, required=True, help="how many people there are for one that is set aside")
    args = parser.parse_args()
    people = json.loads(args.annotations.read_text(encoding="utf-8"))
    parts: dict[str, list] = {"fit": [], "holdout": []}
    for person in people:
        parts["holdout" if is_held_out(person["image"], one_in=args.one_in) else "fit"].append(person)
    for part, chosen in parts.items():
        path = args.annotations.with_name(f"{args.annotations.stem.removesuffix('_train')}_{part}.json")
        path.write_text(json.dumps(chosen), encoding="utf-8")
        print(f"{path}: {len(chosen)} people")


if __name__ == "__main__":
    main()
