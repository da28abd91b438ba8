"""PCK of exported files on one set of people, such as a network in float32 and in int8."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from efficientpose.core.images import read_image
from efficientpose.datasets.mpii import ExactMpiiDataset
from efficientpose.evaluation.pckh_metric import PCKh
from efficientpose.runtime.estimator import PoseEstimator


def score_files(
    files: Sequence[Path],
    *,
    annotations: Path,
    images: Path,
    thresholds: Sequence[float],
    num_people: int | None = None,
    engine: str | None = None,
    threads: int | None = None,
) -> dict[str, dict[str, float]]:
    """Find every annotated person with each file, and score by the torso's length.

    Args:
        files: Written by ``efficientpose export``.
        annotations: In the form of ``mpii_val.json``, with joints.
        images: Folder of their images.
        thresholds: Fractions of the torso within which a keypoint is right.
        num_people: Number of people, from the first; None for all.
        engine: Of the runtime; None goes by the files' endings.
        threads: Of the network; None for all cores.

    Returns:
        By file: percentages by name, such as "torso/PCK@0.2", with "_low" and "_high" for the bounds of the 95%
        interval.

    Raises:
        ValueError: If files or annotations are unusable.
        FileNotFoundError: If one is missing.
    """
    if num_people is not None and num_people < 1:
        raise ValueError(f"the number of people must be 1 or more, got {num_people}")
    estimators = {str(file): PoseEstimator(file, engine=engine, threads=threads) for file in files}
    dataset = ExactMpiiDataset(ann_file=str(annotations), data_prefix=dict(img=str(images)), test_mode=True)
    metrics = {file: PCKh(thresholds=thresholds, norm="torso") for file in estimators}
    count = len(dataset) if num_people is None else min(num_people, len(dataset))
    for person in (dataset.get_data_info(index) for index in range(count)):
        image = read_image(Path(person["img_path"]))
        for file, estimator in estimators.items():
            (pose,) = estimator.predict(image, person["bbox"])
            metrics[file].process(None, [_make_sample(person, pose.keypoints)])
    return {file: metric.evaluate(count) for file, metric in metrics.items()}


def _make_sample(person: dict[str, Any], keypoints: np.ndarray) -> dict[str, Any]:
    """Return a sample as MMPose's evaluator hands it to a metric."""
    return {
        "gt_instances": {key: person[key] for key in ("keypoints", "keypoints_visible")},
        "pred_instances": {"keypoints": keypoints[None, :, :2], "keypoint_scores": keypoints[None, :, 2]},
        **{key: person[key] for key in ("id", "img_id", "img_path", "raw_ann_info")},
    }
