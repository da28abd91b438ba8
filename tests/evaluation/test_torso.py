"""PCK of the torso, alone and beside PCKh, on people as LSP labels them: without thorax and pelvis."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.registry import METRICS
from mmpose.structures import PoseDataSample

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.evaluation.pckh_metric import PCKh

INDEX = {name: index for index, name in enumerate(KEYPOINT_NAMES)}
HEAD_SIZE = 30.0


def lsp_truth():
    """Three people, (3, 16, 2) and (3, 16): torsos of 100 px, 50 px by the other diagonal, and of unknown length."""
    truth = np.tile(np.arange(16)[:, None] * 7.0, (3, 1, 2))
    truth[:, INDEX["left_shoulder"]] = (60, 20)
    truth[:, INDEX["right_hip"]] = (0, 100)  # 60² + 80² = 100²
    truth[:, INDEX["right_shoulder"]] = (10, 20)
    truth[:, INDEX["left_hip"]] = (40, 60)  # 30² + 40² = 50²
    labelled = np.ones((3, 16), dtype=bool)
    labelled[:, [INDEX["thorax"], INDEX["pelvis"]]] = False
    labelled[1, INDEX["right_hip"]] = False
    labelled[2, [INDEX["right_hip"], INDEX["left_hip"]]] = False
    return truth, labelled


def make_samples(predictions, truth, labelled):
    """Dictionaries as MMPose's evaluator hands them to a metric."""
    samples = []
    for i in range(len(truth)):
        sample = PoseDataSample(metainfo={"id": i, "img_id": i, "img_path": f"images/im{i}.jpg"})
        sample.gt_instances = InstanceData(
            keypoints=truth[i : i + 1],
            keypoints_visible=labelled[i : i + 1].astype(np.float32),
            head_size=np.array([[HEAD_SIZE]]),
        )
        sample.pred_instances = InstanceData(keypoints=predictions[i : i + 1], keypoint_scores=torch.ones(1, 16))
        samples.append(sample)
    return samples


def evaluate(metrics, predictions, truth, labelled):
    evaluator = Evaluator([METRICS.build({"type": "PCKh", "num_bootstrap": 0, **metric}) for metric in metrics])
    evaluator.process(make_samples(predictions, truth, labelled))
    return evaluator.evaluate(len(truth))


@pytest.fixture
def logged(monkeypatch):
    lines = []
    for level in ("info", "warning"):
        monkeypatch.setattr(
            f"mmengine.logging.MMLogger.{level}", lambda self, text, level=level: lines.append((level, text))
        )
    return lines


def test_values_by_hand(logged):
    truth, labelled = lsp_truth()
    predictions = truth.copy()
    predictions[0, INDEX["left_wrist"]] += (12, 16)  # 20 of 100 px: exactly 0.2
    predictions[0, INDEX["right_wrist"]] += (12, 17)  # more
    predictions[1, INDEX["left_wrist"]] += (6, 8)  # 10 of 50 px: exactly 0.2
    predictions[1, INDEX["head_top"]] += (12, 16)  # 20 of 50 px
    predictions[0, INDEX["thorax"]] += 1000  # not labelled
    predictions[2] += 1000  # not scored
    scores = evaluate([{"norm": "torso", "thresholds": (0.2, 0.4)}], predictions, truth, labelled)
    # The two have 14 and 13 labelled joints.
    assert scores["torso/PCK@0.2"] == pytest.approx(100 * 25 / 27)
    assert scores["torso/Wrist@0.2"] == pytest.approx(75)
    assert scores["torso/Head@0.2"] == pytest.approx(50)
    assert scores["torso/PCK@0.4"] == 100
    assert [text for level, text in logged if level == "warning"] == [
        "1 of 3 people have no length of the torso and are not scored: expected left_shoulder to right_hip or "
        "right_shoulder to left_hip to be labelled, and not in one place"
    ]
    assert "PCK (of the torso) of 2 people" in " ".join(logged[-1][1].split())


def test_torso_in_one_place_has_no_length():
    truth, labelled = lsp_truth()
    truth[0, INDEX["right_hip"]] = truth[0, INDEX["left_shoulder"]]
    predictions = truth.copy()
    predictions[:, INDEX["left_knee"]] += (0, 11)  # of 50 px by the other diagonal, for both
    scores = evaluate([{"norm": "torso", "thresholds": (0.2, 0.22)}], predictions, truth, labelled)
    assert scores["torso/Knee@0.2"] == 50
    assert scores["torso/Knee@0.22"] == 100


def test_truth_as_prediction_scores_100_beside_pckh(logged):
    truth, labelled = lsp_truth()
    metrics = [{"thresholds": (0.5, 0.01)}, {"norm": "torso", "thresholds": (0.2, 0.01)}]
    scores = evaluate(metrics, truth.copy(), truth, labelled)
    for key in ("PCKh@0.5", "PCKh@0.01", "torso/PCK@0.2", "torso/PCK@0.01", "AUC", "torso/AUC"):
        assert scores[key] == 100, key
    titles = [" ".join(text.partition("┏")[0].split()) for level, text in logged if level == "info"]
    assert titles == [
        "PCKh of 3 people, % [95% confidence]",
        "PCK (of the torso) of 2 people, % [95% confidence]",
    ]


def test_both_score_their_own_way():
    truth, labelled = lsp_truth()
    predictions = truth.copy()
    predictions[..., 0] += 14  # within half of 30 px and a fifth of 100 px, but not a fifth of 50 px
    scores = evaluate([{}, {"norm": "torso", "thresholds": (0.2,)}], predictions, truth, labelled)
    assert scores["PCKh@0.5"] == 100
    assert scores["PCKh@0.1"] == 0
    assert scores["torso/PCK@0.2"] == pytest.approx(100 * 14 / 27)


def test_prefix_may_be_chosen():
    truth, labelled = lsp_truth()
    scores = evaluate([{"norm": "torso", "thresholds": (0.2,), "prefix": "lspet"}], truth, truth, labelled)
    assert scores["lspet/PCK@0.2"] == 100
    assert PCKh(norm="torso", prefix="").prefix == ""
    assert PCKh(norm="bbox").prefix == ""


def test_nobody_has_a_torso():
    truth, labelled = lsp_truth()
    with pytest.raises(ValueError, match="1 of 1 people have no length of the torso: expected left_shoulder to"):
        evaluate([{"norm": "torso"}], truth[2:], truth[2:], labelled[2:])


def test_no_truth_but_a_submission(tmp_path):
    """People of a test set, of whom nothing is labelled, are predicted all the same, and so are those not scored."""
    truth, labelled = lsp_truth()
    metric = {"norm": "torso", "submission_file": str(tmp_path / "all.json")}
    assert evaluate([metric], truth, truth, np.zeros_like(labelled)) == {}
    assert (tmp_path / "all.json").read_text().count("keypoints") == 3
    assert evaluate([metric], truth, truth, labelled)["torso/PCK@0.5"] == 100
    assert (tmp_path / "all.json").read_text().count("keypoints") == 3
