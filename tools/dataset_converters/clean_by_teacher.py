"""Correct a data set's labels where a trained network confidently disagrees, and fill in thorax and pelvis.

python tools/dataset_converters/clean_by_teacher.py configs/efficientpose_rt_mpii.py CHECKPOINT \
    data/lspet/annotations/lspet_train.json data/lspet/images data/lspet/annotations/lspet_clean.json

The annotations are in MPII's layout, as ``lsp2mpii.py`` writes them. ``efficientpose://ii`` is a CHECKPOINT as well. The
rule is in ``efficientpose/datasets/label_cleaning.py``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from mmengine.config import Config
from mmpose.apis import init_model
from mmpose.registry import DATASETS

from efficientpose.datasets.label_cleaning import clean_labels


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the teacher's config")
    parser.add_argument("checkpoint", help="the teacher's weights")
    parser.add_argument("annotations", type=Path, help="annotations in MPII's layout")
    parser.add_argument("images", type=Path, help="folder with their images")
    parser.add_argument("out", type=Path, help="annotations to write")
    parser.add_argument("--batch-size", type=int, default=16)
    return parser.parse_args()


def predict(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the teacher's keypoints (N, 16, 2), 0-based image pixels, and scores (N, 16), with flip test."""
    config = Config.fromfile(args.config)
    config.model.test_cfg.flip_test = True
    for name in ("high_pretrained", "low_pretrained"):
        if name in config.model.backbone:
            config.model.backbone[name] = None
    model = init_model(config, args.checkpoint, device="cpu").to(memory_format=torch.channels_last)
    dataset = DATASETS.build(
        dict(
            type="ExactMpiiDataset",
            data_mode="topdown",
            ann_file=str(args.annotations.resolve()),
            data_prefix=dict(img=str(args.images.resolve())),
            pipeline=config.val_dataloader.dataset.pipeline,
        )
    )
    keypoints, scores = [], []
    for start in track(range(0, len(dataset), args.batch_size), description="the teacher looks"):
        samples = [dataset[index] for index in range(start, min(start + args.batch_size, len(dataset)))]
        batch = {key: [sample[key] for sample in samples] for key in ("inputs", "data_samples")}
        with torch.inference_mode():
            predictions = [sample.pred_instances for sample in model.test_step(batch)]
        keypoints.append(np.concatenate([each.keypoints for each in predictions]))
        scores.append(np.concatenate([each.keypoint_scores for each in predictions]))
    return np.concatenate(keypoints), np.concatenate(scores)


def main() -> None:
    """Clean, write, and say how much was changed."""
    args = parse_args()
    keypoints, scores = predict(args)
    people = json.loads(args.annotations.read_text(encoding="utf-8"))
    num_labelled = num_swapped = num_dropped = num_filled = 0
    for person, teacher, teacher_scores in zip(people, keypoints, scores, strict=True):
        joints, labelled = np.array(person["joints"], float), np.array(person["joints_vis"]) == 1
        # The annotations count pixels from 1.
        cleaned = clean_labels(joints, labelled, teacher.astype(float) + 1, teacher_scores)
        person["joints"], person["joints_vis"] = cleaned.joints.tolist(), cleaned.labelled.astype(int).tolist()
        num_labelled += int(labelled.sum())
        num_swapped += cleaned.num_swapped
        num_dropped += cleaned.num_dropped
        num_filled += cleaned.num_filled
    args.out.write_text(json.dumps(people), encoding="utf-8")
    print(
        f"{args.out}: {len(people)} people with {num_labelled} labelled joints, of which {num_swapped} changed sides "
        f"and {num_dropped} were dropped; {num_filled} filled in"
    )


if __name__ == "__main__":
    main()
