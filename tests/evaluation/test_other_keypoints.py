"""PCKh of data sets with other keypoints than MPII's."""

import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES, keypoint_names_of
from efficientpose.evaluation.pckh_metric import PCKh, as_mpii

NAMES = ("left_shoulder", "nose", "right_hip", "left_knee")


def test_rows_go_where_mpii_has_the_name():
    rows = as_mpii(np.array([1.0, 2.0, 3.0, 4.0]), NAMES, absent=-1)
    expected = dict(left_shoulder=1, right_hip=3, left_knee=4)
    assert rows.tolist() == [expected.get(name, -1) for name in KEYPOINT_NAMES]
    assert keypoint_names_of(None) == KEYPOINT_NAMES
    assert keypoint_names_of(dict(keypoint_id2name={1: "b", 0: "a"})) == ("a", "b")


def test_the_score_counts_common_joints_alone():
    """The torso is 100 long; of shoulder, hip and knee the knee is 30 off, the nose, which MPII lacks, far off."""
    truth = np.array([[[0, 0], [50, 50], [0, 100], [0, 200]]], float)
    predicted = truth + np.array([[0, 0], [999, 0], [10, 0], [30, 0]])
    sample = dict(
        gt_instances=dict(keypoints=truth, keypoints_visible=np.ones((1, 4))),
        pred_instances=dict(keypoints=predicted, keypoint_scores=np.ones((1, 4))),
    )
    metric = PCKh(norm="torso", thresholds=(0.2, 0.05), num_bootstrap=0)
    metric.dataset_meta = dict(keypoint_id2name=dict(enumerate(NAMES)))
    metric.process({}, [sample])
    scores = metric.compute_metrics(metric.results)
    assert scores["PCK@0.2"] == pytest.approx(200 / 3)
    assert scores["PCK@0.05"] == pytest.approx(100 / 3)
