"""Write the config of a network with keypoints of your own.

python tools/new_skeleton.py --names nose,left_eye,right_eye --limbs nose-left_eye,nose-right_eye \
    --variant rt --data data/mine --out configs/my_rt.py
python tools/new_skeleton.py --from my_skeleton.yaml --data data/mine --out configs/my_rt.py
python tools/new_skeleton.py --from mmpose::_base_/datasets/crowdpose.py --data data/crowdpose --out configs/my_rt.py

The data are in COCO's format: annotations/train.json and val.json with the keypoints in the order of the names, and the
images in images/. A description (.py, .yaml, .json) has keypoint_names and limbs, and may have flip_pairs and sigmas.
The links of a dataset's information become limbs, except those that close cycles.
"""

import argparse
import sys
from pathlib import Path

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.core.variants import VARIANTS
from efficientpose.custom_skeletons.config_text import ConfigSettings, write_config
from efficientpose.custom_skeletons.description import SkeletonDescription
from efficientpose.custom_skeletons.reading import describe, parse_names, parse_pairs, read_skeleton


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    skeleton = parser.add_mutually_exclusive_group(required=True)
    skeleton.add_argument("--names", help="keypoints in the order of the annotations: nose,left_eye,right_eye")
    skeleton.add_argument("--from", dest="source", metavar="FILE", help="a description, or MMPose's dataset_info")
    parser.add_argument("--limbs", help="pairs from the trunk outwards: nose-left_eye,nose-right_eye")
    parser.add_argument("--flip", help="pairs of mirror images (default: by left_ and right_): left_eye-right_eye")
    parser.add_argument("--variant", default="rt", choices=list(VARIANTS), help="size of the network (default: rt)")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="of the data")
    parser.add_argument("--ann", default="annotations/train.json", metavar="FILE", help="in it (default: %(default)s)")
    parser.add_argument("--val-ann", default="annotations/val.json", metavar="FILE", help="(default: %(default)s)")
    parser.add_argument("--images", default="images/", metavar="FOLDER", help="in it (default: %(default)s)")
    parser.add_argument("--weights", help="checkpoint to start from (default: the released one of the variant)")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of training (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="images a step (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="CONFIG", help="the config to write, .py")
    args = parser.parse_args()
    if args.names and not args.limbs:
        parser.error("--names needs --limbs")
    if args.source and (args.limbs or args.flip):
        parser.error("--limbs and --flip go with --names; a file has its own")
    return args


def read_description(args: argparse.Namespace) -> SkeletonDescription:
    """Read the skeleton that the command line gives or names."""
    if args.source:
        description = read_skeleton(args.source)
        if description.dropped_links:
            print(f"no limbs: {', '.join('-'.join(link) for link in description.dropped_links)}")
        return description
    names = parse_names(args.names)
    pairs = None if args.flip is None else parse_pairs(args.flip, names, what="flip pair")
    return describe(names, parse_pairs(args.limbs, names, what="limb"), flip_pairs=pairs)


def main() -> None:
    """Write the config, and say how to go on."""
    args = parse_args()
    try:
        data = dict(data_root=args.data, annotations=args.ann, val_annotations=args.val_ann, images=args.images)
        training = dict(checkpoint=args.weights, max_epochs=args.epochs, batch_size=args.batch_size)
        settings = ConfigSettings(variant=args.variant, **data, **training)
        description = read_description(args)
        write_config(description, settings, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    skeleton = description.skeleton
    print(f"{args.out}: {len(skeleton.keypoint_names)} keypoints, {len(skeleton.limbs)} limbs")
    print(f"next: python tools/train.py {args.out}")


if __name__ == "__main__":
    main()
