import csv
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.io import loadmat

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.evaluation.pckh import AREA_COLUMN, GROUPS, MEAN_ROW, compute_pckh
from efficientpose.evaluation.pckh_metric import PCKh

HEAD_TOP = KEYPOINT_NAMES.index("head_top")
RIGHT_WRIST = KEYPOINT_NAMES.index("right_wrist")
PELVIS = KEYPOINT_NAMES.index("pelvis")


def two_people():
    """Two people whose scores are worked out by hand in the tests; reference lengths 100 and 50 px."""
    truth = np.zeros((2, 16, 2))
    truth[:] = np.arange(16)[:, None] * 10.0
    labelled = np.ones((2, 16), dtype=bool)
    labelled[1, HEAD_TOP] = False
    predictions = truth.copy()
    predictions[0, HEAD_TOP] += (30, 40)  # 50 px of 100: exactly 0.5
    predictions[0, RIGHT_WRIST] += (0, 51)  # 0.51
    predictions[1, RIGHT_WRIST] += (4, 0)  # 4 px of 50: 0.08
    predictions[1, PELVIS] += (1000, 0)  # counts nowhere
    predictions[1, HEAD_TOP] += (1000, 0)  # not labelled
    return predictions, truth, labelled, np.array([100.0, 50.0])


def loop_pckh(predictions, truth, labelled, lengths, threshold):
    """PCKh by plain loops: the value of each group, then the mean."""
    hits = dict.fromkeys(KEYPOINT_NAMES, 0)
    counts = dict.fromkeys(KEYPOINT_NAMES, 0)
    for person in range(len(truth)):
        for k, name in enumerate(KEYPOINT_NAMES):
            if not labelled[person, k]:
                continue
            dx, dy = predictions[person, k] - truth[person, k]
            counts[name] += 1
            hits[name] += math.hypot(dx, dy) / lengths[person] <= threshold
    values = [np.mean([100 * hits[name] / counts[name] for name in names]) for names in GROUPS.values()]
    in_mean = [name for name in KEYPOINT_NAMES if name not in {"pelvis", "thorax"}]
    return [*values, 100 * sum(hits[name] for name in in_mean) / sum(counts[name] for name in in_mean)]


def standard_protocol(predictions, truth, missing, headboxes, threshold):
    """The evaluation that Python codebases of MPII share, on arrays laid out as in ``mpii_gt_val.mat``."""
    visible = 1 - missing
    error = np.linalg.norm(predictions - truth, axis=1)
    head_sizes = np.linalg.norm(headboxes[1] - headboxes[0], axis=0) * 0.6
    scaled = error / head_sizes[None] * visible
    count = visible.sum(axis=1)
    pckh = np.ma.array(100.0 * ((scaled <= threshold) * visible).sum(axis=1) / count, mask=False)
    pckh.mask[6:8] = True
    count = np.ma.array(count, mask=False)
    count.mask[6:8] = True
    ratio = count / count.sum().astype(np.float64)
    return {
        "Head": pckh[9],
        "Shoulder": 0.5 * (pckh[13] + pckh[12]),
        "Elbow": 0.5 * (pckh[14] + pckh[11]),
        "Wrist": 0.5 * (pckh[15] + pckh[10]),
        "Hip": 0.5 * (pckh[3] + pckh[2]),
        "Knee": 0.5 * (pckh[4] + pckh[1]),
        "Ankle": 0.5 * (pckh[5] + pckh[0]),
        "Mean": (pckh * ratio).sum(),
    }


def column(table, name):
    return {row: scores[name].value for row, scores in table.rows.items()}


def test_two_people_by_hand():
    table = compute_pckh(*two_people(), thresholds=(0.5, 0.1), num_bootstrap=0)
    at_half, at_tenth = column(table, "@0.5"), column(table, "@0.1")
    assert at_half["Head"] == 100  # a distance equal to the threshold is correct
    assert at_tenth["Head"] == 0
    assert at_half["Wrist"] == at_tenth["Wrist"] == 75  # right 1 of 2, left 2 of 2
    assert at_half["Knee"] == 100
    # 2 x 14 joints count for the mean, less one head: 27; one is wrong at 0.5, two at 0.1.
    assert at_half["Mean"] == pytest.approx(100 * 26 / 27)
    assert at_tenth["Mean"] == pytest.approx(100 * 25 / 27)
    # Correct from 0.5 on: half a step of the 50. From 0.08 on: 42 steps less half of the first. Others: all.
    assert column(table, AREA_COLUMN)["Head"] == pytest.approx(100 * 0.5 / 50)
    assert column(table, AREA_COLUMN)["Mean"] == pytest.approx(100 * (24 + 0.5 / 50 + 42.5 / 50) / 27)


def test_matches_plain_loops():
    generator = np.random.default_rng(1)
    truth = generator.uniform(0, 500, (40, 16, 2))
    predictions = truth + generator.normal(0, 20, truth.shape)
    labelled = generator.random((40, 16)) > 0.3
    lengths = generator.uniform(30, 90, 40)
    table = compute_pckh(predictions, truth, labelled, lengths, thresholds=(0.5, 0.3, 0.1), num_bootstrap=0)
    for threshold in (0.5, 0.3, 0.1):
        expected = loop_pckh(predictions, truth, labelled, lengths, threshold)
        np.testing.assert_allclose(list(column(table, f"@{threshold}").values()), expected, atol=1e-9)
    curve = [loop_pckh(predictions, truth, labelled, lengths, t / 100)[-1] for t in range(51)]
    assert column(table, AREA_COLUMN)["Mean"] == pytest.approx(np.mean([(a + b) / 2 for a, b in pairwise(curve)]))


def test_standard_protocol_on_the_mpii_validation_people(shared):
    contents = loadmat(shared / "data" / "mpii_val" / "mpii_gt_val.mat")
    predictions, truth = contents["pos_pred_src"], contents["pos_gt_src"]
    missing, headboxes = contents["jnt_missing"].astype(int), contents["headboxes_src"]
    lengths = 0.6 * np.linalg.norm(headboxes[1] - headboxes[0], axis=0)
    table = compute_pckh(
        predictions.transpose(2, 0, 1), truth.transpose(2, 0, 1), missing.T == 0, lengths, num_bootstrap=0
    )
    assert table.num_people == 2958
    for threshold in (0.5, 0.1):
        expected = standard_protocol(predictions, truth, missing, headboxes, threshold)
        assert column(table, f"@{threshold}") == pytest.approx(expected, abs=1e-6)


def test_unlabelled_joints_do_not_count_and_may_be_nan():
    predictions, truth, labelled, lengths = two_people()
    expected = compute_pckh(predictions, truth, labelled, lengths, num_bootstrap=0)
    truth[1, HEAD_TOP] = np.nan
    predictions[1, HEAD_TOP] = np.nan
    table = compute_pckh(predictions, truth, labelled, lengths, num_bootstrap=0)
    for name in ("@0.5", "@0.1", AREA_COLUMN):
        assert column(table, name) == column(expected, name)
    labelled[:, HEAD_TOP] = False
    table = compute_pckh(predictions, truth, labelled, lengths, num_bootstrap=50)
    assert math.isnan(table.rows["Head"]["@0.5"].value)
    assert math.isnan(table.rows["Head"]["@0.5"].low)
    assert table.rows[MEAN_ROW]["@0.5"].value == pytest.approx(100 * 25 / 26)


def test_bootstrap():
    truth = np.zeros((200, 16, 2))
    predictions = truth.copy()
    predictions[:60] += 1000  # 140 of 200 people all right
    arguments = (predictions, truth, np.ones((200, 16), dtype=bool), np.full(200, 50.0))
    score = compute_pckh(*arguments, seed=3).rows[MEAN_ROW]["@0.5"]
    assert score == compute_pckh(*arguments, seed=3).rows[MEAN_ROW]["@0.5"]
    assert score != compute_pckh(*arguments, seed=4).rows[MEAN_ROW]["@0.5"]
    # Binomial: 1.96 * sqrt(0.7 * 0.3 / 200) = 6.35 percentage points either side.
    assert score.value == 70
    assert score.low == pytest.approx(70 - 6.35, abs=0.8)
    assert score.high == pytest.approx(70 + 6.35, abs=0.8)
    assert all(math.isnan(bound) for bound in compute_pckh(*arguments, num_bootstrap=0).rows[MEAN_ROW]["@0.5"][1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": ()}, "thresholds"),
        ({"thresholds": (-0.1,)}, "thresholds"),
        ({"num_bootstrap": -1}, "num_bootstrap -1"),
        ({"predictions": np.full((2, 16, 2), np.nan)}, "prediction of 2 people is not finite, first person 0"),
        ({"labelled": np.zeros((2, 16), dtype=bool)}, "no labelled keypoint among 2 people"),
        ({"reference_lengths": np.array([100.0, 0.0])}, "first person 1: 0.0"),
    ],
)
def test_errors(change, message):
    names = ("predictions", "truth", "labelled", "reference_lengths")
    with pytest.raises(ValueError, match=message):
        compute_pckh(**(dict(zip(names, two_people(), strict=True)) | change))


def samples():
    """The two people as MMPose hands them to a metric."""
    predictions, truth, labelled, lengths = two_people()
    return [
        {
            "id": i,
            "img_id": 7 + i,
            "img_path": f"images/{7 + i}.jpg",
            "gt_instances": {
                "keypoints": truth[i : i + 1],
                "keypoints_visible": labelled[i : i + 1].astype(int),
                "head_size": lengths[i].reshape(1, 1),
                "bboxes": np.array([[0.0, 0.0, 200.0, 100.0]]),
            },
            "pred_instances": {"keypoints": predictions[i : i + 1], "keypoint_scores": np.full((1, 16), 0.5)},
        }
        for i in range(2)
    ]


def evaluate(metric, data_samples):
    for sample in data_samples:
        metric.process({}, [sample])
    return metric.evaluate(len(data_samples))


def test_metric_keys_and_values():
    scores = evaluate(PCKh(), samples())
    assert scores["PCKh@0.5"] == pytest.approx(100 * 26 / 27)
    assert scores["PCKh@0.1"] == pytest.approx(100 * 25 / 27)
    assert scores["PCKh@0.5_low"] <= scores["PCKh@0.5"] <= scores["PCKh@0.5_high"]
    assert scores["Wrist@0.5"] == 75
    assert {"AUC", "AUC_low", "Head AUC", "Ankle@0.1"} <= set(scores)
    assert all(isinstance(score, float) for score in scores.values())
    prefixed = evaluate(PCKh(prefix="mpii", thresholds=(0.2,), num_bootstrap=0), samples())
    assert "mpii/PCKh@0.2" in prefixed
    assert not any("low" in key or "0.5" in key for key in prefixed)


def test_metric_by_bbox():
    # Reference 200 px for both: errors of 50, 51 and 4 px are all within half.
    assert evaluate(PCKh(norm="bbox"), samples())["PCK@0.5"] == 100


def test_metric_reads_visibility_with_weights():
    data_samples = samples()
    for sample in data_samples:
        visible = sample["gt_instances"]["keypoints_visible"]
        sample["gt_instances"]["keypoints_visible"] = np.stack([visible, np.ones_like(visible)], axis=-1)
    assert evaluate(PCKh(), data_samples)["PCKh@0.5"] == pytest.approx(100 * 26 / 27)


def test_reports(tmp_path):
    data_samples = samples()
    for sample in data_samples:
        sample["gt_instances"]["keypoints_visible"][0, HEAD_TOP] = 0
    scores = evaluate(PCKh(out_file=str(tmp_path / "new" / "scores.json")), data_samples)
    report = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert report["num_people"] == 2
    assert report["scores"]["PCKh@0.1"]["value"] == scores["PCKh@0.1"]
    assert report["scores"]["Head@0.1"]["value"] is None
    evaluate(PCKh(out_file=str(tmp_path / "scores.csv")), data_samples)
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = {row["score"]: row for row in csv.DictReader(file)}
    assert float(rows["PCKh@0.5"]["low"]) == scores["PCKh@0.5_low"]
    assert rows["Head AUC"]["value"] == ""


def test_table_is_logged(monkeypatch):
    lines = []
    monkeypatch.setattr("mmengine.logging.MMLogger.info", lambda self, text: lines.append(text))
    evaluate(PCKh(), samples())
    assert "PCKh of 2 people" in lines[0]
    assert "96.30 [" in lines[0]
    assert [line.split()[1] for line in lines[0].splitlines() if line.startswith("│")] == [*GROUPS, MEAN_ROW]


def test_metric_errors():
    with pytest.raises(ValueError, match="norm 'hand': choose one of head, torso, bbox"):
        PCKh(norm="hand")
    with pytest.raises(ValueError, match=r"out_file 'scores.txt' must end in .json or .csv"):
        PCKh(out_file="scores.txt")
    with pytest.raises(ValueError, match=r"submission_file 'x.csv' must end in .mat or .json"):
        PCKh(submission_file="x.csv")
    with pytest.raises(TypeError, match="threshold"):
        PCKh(threshold=(0.5,))
    lacking = samples()
    del lacking[0]["gt_instances"]["head_size"]
    with pytest.raises(ValueError, match="give the dataset headbox_file"):
        evaluate(PCKh(), lacking)
    several = samples()
    several[0]["pred_instances"]["keypoints"] = np.zeros((3, 16, 2))
    with pytest.raises(ValueError, match=r"images/7.jpg have shape \(3, 16, 2\)"):
        evaluate(PCKh(), several)
