"""Precision and recall of people and keypoints in scenes, as an MMEngine metric."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.registry import METRICS
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from efficientpose.core.similarity import box_areas, boxes_around, keypoint_spreads, oks
from efficientpose.core.skeleton import NUM_KEYPOINTS

Floats = NDArray[np.floating]

MIN_OKS: Final = 0.5
"""Smallest OKS of a person who counts as found, as for COCO's AP50."""

MAX_KEYPOINT_DISTANCE: Final = 0.1
"""A keypoint is right within this fraction of the longer side of the person's box (Yang and Ramanan's PCK)."""


class PeopleCounts(NamedTuple):
    """Counts of one scene, or of several added up."""

    true_people: int = 0  # annotated
    found_people: int = 0  # predicted, right or wrong
    right_people: int = 0  # pairs of both
    true_keypoints: int = 0  # labelled
    found_keypoints: int = 0  # predicted; of a pair only those that are labelled
    right_keypoints: int = 0  # of pairs, near enough to their label

    def plus(self, other: "PeopleCounts") -> "PeopleCounts":
        """Return the sum."""
        return PeopleCounts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def scores(self) -> dict[str, float]:
        """Precision and recall of people and keypoints ("joints"), percent; NaN where there is nothing to count."""
        ratios = {
            "people precision": (self.right_people, self.found_people),
            "people recall": (self.right_people, self.true_people),
            "joint precision": (self.right_keypoints, self.found_keypoints),
            "joint recall": (self.right_keypoints, self.true_keypoints),
        }
        return {name: 100 * part / whole if whole else float("nan") for name, (part, whole) in ratios.items()}


def count_people(truth: Floats, found: Floats, *, boxes: Floats) -> PeopleCounts:
    """Compare the predictions for one scene with its ground truth.

    People are paired one to one so that the sum of their OKS is the highest; a pair needs :data:`MIN_OKS`. A labelled
    keypoint that was not found adds 0 to it, as for COCO. Keypoints that nobody in the scene has a label of are left
    out, unless nobody is annotated at all.

    Args:
        truth: (N, K, 2) x, y in image pixels; NaN for a keypoint without label.
        found: (M, K, 2) in the same frame; NaN for a keypoint that was not found.
        boxes: (N, 4) x1, y1, x2, y2 of the annotated people in the same frame.
    """
    is_judged = np.isfinite(truth).all(axis=2).any(axis=0) if len(truth) else True  # (K,)
    is_labelled = np.isfinite(truth).all(axis=2)  # (N, K)
    is_found = np.isfinite(found).all(axis=2) & is_judged  # (M, K)
    found = np.where(is_found[..., None], found, np.nan)
    similarity = oks(truth, found, areas=box_areas(boxes)[:, None], spreads=keypoint_spreads(), min_common=1)  # (N, M)
    num_common = is_labelled.astype(float) @ is_found.T  # (N, M)
    similarity = similarity * num_common / np.maximum(is_labelled.sum(axis=1, keepdims=True), 1)
    gains = np.where(similarity >= MIN_OKS, similarity, 0)
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(gains, maximize=True), strict=True) if gains[i, j] > 0]

    unpaired = np.setdiff1d(np.arange(len(found)), [j for _, j in pairs])
    found_keypoints, right_keypoints = int(is_found[unpaired].sum()), 0
    reach = MAX_KEYPOINT_DISTANCE * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])  # (N,)
    for i, j in pairs:
        is_common = is_labelled[i] & is_found[j]
        distances = np.linalg.norm(truth[i, is_common] - found[j, is_common], axis=1)
        found_keypoints += int(is_common.sum())
        right_keypoints += int((distances <= reach[i]).sum())
    return PeopleCounts(
        true_people=len(truth),
        found_people=int(is_found.any(axis=1).sum()),
        right_people=len(pairs),
        true_keypoints=int(is_labelled.sum()),
        found_keypoints=found_keypoints,
        right_keypoints=right_keypoints,
    )


@METRICS.register_module()
class PeopleMetric(BaseMetric):
    """Precision and recall of people and keypoints in scenes, in percent.

    Returned keys, after ``people/``: ``people_precision``, ``people_recall``, ``joint_precision``, ``joint_recall`` and
    ``joint_f1``, the harmonic mean of the last two; 0 where nothing was found. :func:`count_people` counts; a person's
    box is the one around the labelled keypoints. In images without annotated people, every prediction is wrong.

    Args:
        min_joint_score: Keypoints with a lower score count as not found.
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
            truth, predicted = _read_truth(sample), sample["pred_instances"]
            is_found = np.asarray(predicted["keypoint_scores"]) >= self.min_joint_score
            found = np.where(is_found[..., None], np.asarray(predicted["keypoints"], float), np.nan)
            self.results.append(count_people(truth, found, boxes=boxes_around(truth)))

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
            f"are not there; {total.right_keypoints} of {total.true_keypoints} keypoints"
        )
        return scores


def _read_truth(sample: dict[str, Any]) -> np.ndarray:
    """Return a scene's people who have a label (N, 16, 2) in image pixels; NaN for a keypoint without."""
    if "raw_ann_info" not in sample:
        raise ValueError(
            f"{sample.get('img_path')}: the sample has no raw_ann_info: add it to PackPoseInputs' meta_keys"
        )
    annotations = sample["raw_ann_info"] or []
    people = annotations if isinstance(annotations, list) else [annotations]
    numbers = np.array([person["keypoints"] for person in people], float).reshape(-1, NUM_KEYPOINTS, 3)
    truth = np.where(numbers[..., 2:] > 0, numbers[..., :2], np.nan)
    return truth[np.isfinite(truth).any(axis=(1, 2))]
