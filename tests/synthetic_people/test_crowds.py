"""Drawn scenes in COCO's format: what the annotations say, the same bytes from any number of workers, and the tool."""

import json

import cv2
import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.datasets.scenes import PeopleDataset
from synthetic_people.crowd import PeopleScene, describe_people, sample_crowd
from synthetic_people.generate import Plan, generate_crowds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("crowds") / "data"
    generate_crowds(Plan(num_train=2, num_val=1, seed=1), out, max_people=2)
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_annotations(folder):
    document = json.loads((folder / "annotations" / "crowd_train.json").read_text())
    assert document["categories"][0]["keypoints"] == list(KEYPOINT_NAMES)
    assert [image["id"] for image in document["images"]] == [1, 2]
    for image in document["images"]:
        height, width = cv2.imread(str(folder / "images" / image["file_name"])).shape[:2]
        assert (image["width"], image["height"]) == (width, height)
    for person in document["annotations"]:
        points = np.array(person["keypoints"]).reshape(16, 3)
        seen = points[:, 2] == 2
        assert person["num_keypoints"] == seen.sum() > 0
        assert not points[~seen].any()
        x, y, width, height = person["bbox"]
        assert (points[seen, :2] >= (x - 0.5, y - 0.5)).all()
        assert (points[seen, :2] <= (x + width + 0.5, y + height + 0.5)).all()


def test_people_by_hand():
    keypoints = np.zeros((2, 16, 2))
    keypoints[0, :2] = [(10, 20), (30, 60)]
    labelled = np.zeros((2, 16), bool)
    labelled[0, 0] = True
    scene = PeopleScene(
        image=np.zeros((62, 100, 3), np.uint8),
        keypoints=keypoints,
        labelled=labelled,
        boxes=np.array([(10, 20, 30, 60), (-50, 0, -10, 40)], np.float32),
    )
    (person,) = describe_people(scene)
    assert person["keypoints"] == [10, 20, 2] + [0] * 45
    assert person["num_keypoints"] == 1
    assert person["bbox"] == [6, 16, 28, 46]  # a tenth of 40 around, down to the edge at 62
    assert person["area"] == pytest.approx(0.53 * 28 * 46)


@pytest.mark.slow
def test_same_bytes_from_two_workers(folder, tmp_path):
    generate_crowds(Plan(num_train=2, num_val=1, seed=1, num_workers=2), tmp_path / "two", max_people=2)
    assert contents(tmp_path / "two") == contents(folder)


def test_the_dataset_reads_them(folder):
    dataset = PeopleDataset(
        ann_file=str(folder / "annotations" / "crowd_val.json"), data_prefix=dict(img=str(folder / "images"))
    )
    (scene,) = dataset
    assert scene["keypoints"].shape == (len(scene["bbox"]), 16, 2)
    assert scene["keypoints_visible"].max() == 1
    assert len(scene["raw_ann_info"]) == len(scene["bbox"])
    assert scene["flip_indices"][0] == KEYPOINT_NAMES.index("left_ankle")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda document: document["annotations"][0]["keypoints"].pop(), ValueError, "has 47 numbers as keypoints"),
        (lambda document: document["annotations"].clear(), ValueError, "there is no person in it"),
        (lambda document: document["images"][0].update(file_name="gone.jpg"), FileNotFoundError, r"gone\.jpg: no such"),
    ],
)
def test_unusable_annotations(folder, tmp_path, change, error, message):
    document = json.loads((folder / "annotations" / "crowd_val.json").read_text())
    change(document)
    (tmp_path / "changed.json").write_text(json.dumps(document))
    settings = dict(data_prefix=dict(img=str(folder / "images")))
    with pytest.raises(error, match=message):
        PeopleDataset(ann_file=str(tmp_path / "changed.json"), **settings)
    with pytest.raises(FileNotFoundError, match="no such annotation file"):
        PeopleDataset(ann_file=str(tmp_path / "none.json"), **settings)
    with pytest.raises(ValueError, match="not 'topdown'"):
        PeopleDataset(data_mode="topdown")


def test_the_command(run_tool, tmp_path):
    arguments = ("make_synthetic_crowd.py", "--out", tmp_path / "data", "--train", 1, "--val", 1, "--people", 1)
    status, printed, _ = run_tool(*arguments)
    assert status == 0
    assert "1 training and 1 validation scenes" in printed
    status, _, error = run_tool(*arguments)
    assert status == 1
    assert "is not empty" in error
    status, _, error = run_tool(*arguments, "--overwrite", "--people", 0)
    assert status == 1
    assert "people is 0: a scene needs at least 1" in error


@pytest.mark.parametrize("num_people", [1, 4])
def test_synthetic_crowd(num_people):
    scene = sample_crowd(np.random.default_rng(0), num_people=num_people, stature=100, spacing=0.7)
    again = sample_crowd(np.random.default_rng(0), num_people=num_people, stature=100, spacing=0.7)
    assert scene.keypoints.shape == (num_people, 16, 2)
    assert scene.labelled.mean() > 0.8
    np.testing.assert_array_equal(scene.image, again.image)
    np.testing.assert_allclose(scene.boxes[:, :2], scene.keypoints.min(axis=1), rtol=1e-5)
    sides = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(axis=1)
    assert sides.min() > 100 / 1.25 / 2.5  # someone may crouch
    assert sides.max() < 100 * 1.25 * 1.4  # or raise an arm
