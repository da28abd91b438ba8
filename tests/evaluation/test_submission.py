import json

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from efficientpose.evaluation.pckh_metric import PCKh
from efficientpose.evaluation.submission import PersonPrediction, write_submission


def person(annotation_id, *, image_index=None, person_index=None):
    keypoints = np.arange(32, dtype=float).reshape(16, 2) + 100 * annotation_id
    return PersonPrediction(
        annotation_id=annotation_id,
        image_id=40 + annotation_id,
        image=f"{40 + annotation_id}.jpg",
        keypoints=keypoints,
        scores=np.linspace(0, 1, 16),
        image_index=image_index,
        person_index=person_index,
    )


@pytest.fixture
def release_file(tmp_path):
    """A release of one training image and two test images, the first of the latter with two people."""

    def rectangles(*scales):
        array = np.empty((1, len(scales)), dtype=[("scale", object), ("objpos", object)])
        for i, scale in enumerate(scales):
            array[0, i] = (scale, {"x": 10 * scale, "y": 20 * scale})
        return array

    annolist = np.empty((1, 3), dtype=[("image", object), ("annorect", object)])
    for i, (name, annorect) in enumerate(
        [("a.jpg", rectangles(1.0)), ("b.jpg", rectangles(2.0, 3.0)), ("c.jpg", rectangles(4.0))]
    ):
        annolist[0, i] = ({"name": name}, annorect)
    path = tmp_path / "release.mat"
    savemat(path, {"RELEASE": {"annolist": annolist, "img_train": np.array([[1, 0, 0]])}})
    return path


def test_coco_results(tmp_path):
    path = tmp_path / "new" / "results.json"
    write_submission(path, [person(1), person(0)])
    results = json.loads(path.read_text())
    assert [result["id"] for result in results] == [0, 1]
    assert results[1]["image_id"] == 41
    assert results[1]["file_name"] == "41.jpg"
    assert results[1]["category_id"] == 1
    assert results[1]["score"] == pytest.approx(0.5)
    triplets = np.array(results[1]["keypoints"]).reshape(16, 3)
    np.testing.assert_array_equal(triplets[:, :2], person(1).keypoints)
    np.testing.assert_array_equal(triplets[:, 2], person(1).scores)


def test_flat_mat_is_one_based_and_in_annotation_order(tmp_path):
    path = tmp_path / "preds.mat"
    write_submission(path, [person(2), person(0)])
    np.testing.assert_array_equal(loadmat(path)["preds"], np.stack([person(0).keypoints, person(2).keypoints]) + 1)


def test_server_mat(tmp_path, release_file):
    path = tmp_path / "pred_keypoints_mpii.mat"
    write_submission(path, [person(0, image_index=1, person_index=1)], release_file=release_file)
    pred = loadmat(path)["pred"]
    assert pred.shape == (1, 2)  # the test images only
    first = pred[0, 0]["annorect"]
    assert pred[0, 0]["image"][0, 0]["name"][0] == "b.jpg"
    assert first[0, 1]["scale"].item() == 3.0
    assert first[0, 1]["objpos"][0, 0]["y"].item() == 60.0
    assert first[0, 0]["annopoints"].size == 0
    point = first[0, 1]["annopoints"][0, 0]["point"]
    assert [p["id"].item() for p in point[0]] == list(range(16))
    written = [[p["x"].item(), p["y"].item()] for p in point[0]]
    np.testing.assert_array_equal(written, person(0).keypoints + 1)
    assert "annopoints" not in pred[0, 1]["annorect"].dtype.names


def test_errors(tmp_path, release_file):
    with pytest.raises(ValueError, match=r"ends in .mat \(MPII\) or .json"):
        write_submission(tmp_path / "results.txt", [person(0)])
    with pytest.raises(ValueError, match=r"two predictions for annotation 1 \(41.jpg\)"):
        write_submission(tmp_path / "results.json", [person(1), person(0), person(1)])
    out = tmp_path / "out.mat"
    with pytest.raises(ValueError, match=r"annotation 0 \(40.jpg\) lacks 'image_index' and 'person_index'"):
        write_submission(out, [person(0)], release_file=release_file)
    with pytest.raises(ValueError, match=r"image 0 .* is not a test image"):
        write_submission(out, [person(0, image_index=0, person_index=0)], release_file=release_file)
    with pytest.raises(ValueError, match=r"40.jpg has 2 people, not one of index 2"):
        write_submission(out, [person(0, image_index=1, person_index=2)], release_file=release_file)
    with pytest.raises(FileNotFoundError, match=r"mpii_human_pose_v1_u12_1.mat"):
        write_submission(out, [person(0)], release_file=tmp_path / "none.mat")


def test_metric_submits_people_of_whom_nothing_is_labelled(tmp_path, release_file):
    sample = {
        "id": 0,
        "img_id": 3,
        "img_path": "images/c.jpg",
        "raw_ann_info": {"image": "c.jpg", "image_index": 2, "person_index": 0},
        "gt_instances": {"keypoints": np.zeros((1, 16, 2)), "keypoints_visible": np.zeros((1, 16))},
        "pred_instances": {"keypoints": person(0).keypoints[None], "keypoint_scores": np.ones((1, 16))},
    }
    metric = PCKh(submission_file=str(tmp_path / "out.mat"), release_file=str(release_file))
    metric.process({}, [sample])
    assert metric.evaluate(1) == {}
    point = loadmat(tmp_path / "out.mat")["pred"][0, 1]["annorect"][0, 0]["annopoints"][0, 0]["point"]
    assert point[0, 15]["x"].item() == person(0).keypoints[15, 0] + 1
    scored = PCKh()
    scored.process({}, [sample])
    with pytest.raises(ValueError, match="no labelled keypoint"):
        scored.evaluate(1)
