"""COCO results loaded and scored by pycocotools."""

import json

import numpy as np
import pytest

from efficientpose.movement.files import write
from efficientpose.movement.files.skeletons import COCO_17, place

coco = pytest.importorskip("pycocotools.coco")


@pytest.mark.parametrize("format", ["coco", "coco-17"])
def test_pycocotools(recording, tmp_path, format):
    results, images = write(recording, tmp_path, format)
    dataset = coco.COCO(str(images))
    loaded = dataset.loadRes(str(results))
    names = recording.keypoint_names if format == "coco" else COCO_17
    places = place(recording.keypoint_names, names)
    assert loaded.loadCats(1)[0]["keypoints"] == list(names)
    for row, frame in enumerate(recording.frames.tolist()):
        (image,) = dataset.loadImgs(frame)
        assert (image["width"], image["height"]) == (640, 480)
        assert image["timestamp"] == pytest.approx(recording.seconds[row], abs=5.1e-7)
        found = loaded.loadAnns(loaded.getAnnIds(imgIds=frame))
        seen = [track for track in recording.tracks if track.is_seen[row]]
        assert [one["track_id"] for one in found] == [track.person for track in seen]
        for one, track in zip(found, seen, strict=True):
            assert one["bbox"] == [10.25, 20.5, 299.875, 449.5]
            for keypoint, index in zip(np.reshape(one["keypoints"], (-1, 3)), places, strict=True):
                own = (0, 0, 0) if index is None else (*track.keypoints[row, index], track.scores[row, index])
                assert keypoint == pytest.approx(np.nan_to_num(own), abs=5.1e-5)


def test_the_skeleton_counts_from_one(recording, tmp_path):
    _, images = write(recording, tmp_path, "coco-17")
    (category,) = json.loads(images.read_text())["categories"]
    limbs = {frozenset(category["keypoints"][end - 1] for end in limb) for limb in category["skeleton"]}
    assert frozenset({"left_elbow", "left_wrist"}) in limbs
    assert len(limbs) == 8  # two each of forearm, upper arm, thigh and shank: the other six end at what COCO lacks


def test_the_recording_s_own_poses_score_100(recording, tmp_path):
    """COCOeval against ground truth made of the same poses: the numbers mean what COCO means by them."""
    from pycocotools.cocoeval import COCOeval

    results, images = write(recording, tmp_path, "coco-17")
    truth = json.loads(images.read_text())
    for number, result in enumerate(json.loads(results.read_text()), 1):
        keypoints = np.array(result["keypoints"]).reshape(17, 3)
        keypoints[:, 2] = np.where(keypoints[:, 2] > 0, 2, 0)
        found = {"id": number, "iscrowd": 0, "num_keypoints": 12, "area": result["bbox"][2] * result["bbox"][3]}
        truth["annotations"].append(result | found | {"keypoints": keypoints.ravel().tolist()})
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth))
    dataset = coco.COCO(str(path))
    scoring = COCOeval(dataset, dataset.loadRes(str(results)), "keypoints")
    scoring.evaluate()
    scoring.accumulate()
    scoring.summarize()
    assert scoring.stats[0] == pytest.approx(1)


def test_nobody(make_recording, tmp_path):
    results, images = write(make_recording(people=()), tmp_path / "empty.json", "coco")
    assert json.loads(results.read_text()) == []
    assert (results.name, images.name) == ("empty.json", "empty_images.json")
