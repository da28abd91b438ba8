"""Precision and recall of people and joints in scenes, as an MMEngine metric."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.registry import METRICS

from efficientpose.evaluation.people import PeopleCounts, count_people
from efficientpose.runtime.similarity import boxes_around
from efficientpose.skeleton import NUM_KEYPOINTS


@METRICS.register_module()
class PeopleMetric(BaseMetric):
    """How many people and joints of scenes were found, and how much of what was found is true, in percent.

    Returned keys, after ``people/``: ``people_precision``, ``people_recall``, ``joint_precision``, ``joint_recall`` and
    ``joint_f1``, the harmonic mean of the last two; 0 where nothing was found. What counts as found,
    :func:`~efficientpose.evaluation.people.count_people` says; a person's box is the one around the labelled joints. Of
    pictures in which nobody is annotated, whoever is found is found wrongly.

    Args:
        min_joint_score: Joints that score lower count as not found.
        collect_device: "cpu" or "gpu", for distributed evaluation.
        prefix: Put before every key, with a slash.
    """

    default_prefix = "people"

    def __init__(self, *, min_joint_score: float = 0.1, collect_device: str = "cpu", prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.min_joint_score = min_joint_score

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Count a batch of scenes.

        Raises:
            ValueError: If a sample does not carry its annotations.
        """
        for sample in data_samples:
            truth = read_truth(sample)
            predicted = sample["pred_instances"]
            is_found = np.asarray(predicted["keypoint_scores"]) >= self.min_joint_score
            found = np.where(is_found[..., None], np.asarray(predicted["keypoints"], float), np.nan)
            self.results.append(
                count_people(truth, found, boxes=boxes_around(truth)) if len(truth) else _count_wrong(found)
            )

    def compute_metrics(self, results: list[PeopleCounts]) -> dict[str, float]:
        """Add up and return percentages by key.

        Raises:
            ValueError: If nobody is annotated in any scene.
        """
        # MMEngine makes plain tuples of named ones.
        total = reduce(PeopleCounts.plus, (PeopleCounts(*counts) for counts in results), PeopleCounts())
        if not total.true_people:
            raise ValueError(f"in {len(results)} scenes nobody is annotated: there is nothing to find")
        scores = {name.replace(" ", "_"): float(np.nan_to_num(score)) for name, score in total.scores.items()}
        precision, recall = scores["joint_precision"], scores["joint_recall"]
        scores["joint_f1"] = 2 * precision * recall / max(precision + recall, 1e-9)
        MMLogger.get_current_instance().info(
            f"{total.right_people} of {total.true_people} people found, {total.found_people - total.right_people} that "
            f"are not there; {total.right_joints} of {total.true_joints} joints"
        )
        return scores


def _count_wrong(found: np.ndarray) -> PeopleCounts:
    """Count people (M, K, 2) who were found where nobody is."""
    is_found = np.isfinite(found).all(axis=2)
    return PeopleCounts(found_people=int(is_found.any(axis=1).sum()), found_joints=int(is_found.sum()))


def read_truth(sample: dict[str, Any]) -> np.ndarray:
    """Return a scene's people who have a label (N, 16, 2) in image pixels; NaN for a joint without.

    Raises:
        ValueError: If the sample does not carry its annotations.
    """
    if "raw_ann_info" not in sample:
        raise ValueError(
            f"{sample.get('img_path')}: the sample has no raw_ann_info: add it to PackPoseInputs' meta_keys"
        )
    annotations = sample["raw_ann_info"] or []
    people = annotations if isinstance(annotations, list) else [annotations]
    numbers = np.array([person["keypoints"] for person in people], float).reshape(-1, NUM_KEYPOINTS, 3)
    truth = np.where(numbers[..., 2:] > 0, numbers[..., :2], np.nan)
    return truth[np.isfinite(truth).any(axis=(1, 2))]
