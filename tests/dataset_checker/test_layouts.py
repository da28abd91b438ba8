"""Annotation files of both layouts, sound and broken."""

import json

import numpy as np
import pytest

from dataset_checker.check import read_dataset

CATEGORY = dict(id=1, name="person", keypoints=["nose", "left_eye", "right_eye"], skeleton=[[1, 2], [1, 3]])


def coco(*annotations, images=None, category=None):
    """COCO's layout with one image of 60 x 40."""
    images = images or [dict(id=7, file_name="one.png", width=60, height=40)]
    return dict(images=images, annotations=list(annotations), categories=[CATEGORY | (category or {})])


def annotation(**changes):
    keypoints = [10, 11, 2, 20, 21, 1, 0, 0, 0]
    return dict(id=3, image_id=7, category_id=1, keypoints=keypoints, bbox=[5, 5, 30, 30], num_keypoints=2) | changes


def mpii_person(**changes):
    joints = [[float(index + 1), 2.0 * index + 1] for index in range(16)]
    return dict(image="one.jpg", joints=joints, joints_vis=[1] * 16, center=[101.0, 71.0], scale=2.0) | changes


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        (tmp_path / "file.json").write_text(json.dumps(content))
        return read_dataset(tmp_path / "file.json")

    return write_and_read


def test_coco_s_layout(read):
    dataset = read(coco(annotation()))
    (person,) = dataset.people
    np.testing.assert_array_equal(person.keypoints, [[10, 11], [20, 21], [np.nan, np.nan]])
    assert person.labelled.tolist() == [True, True, False]
    assert (person.annotation, person.image, person.box.tolist()) == (3, "one.png", [5, 5, 35, 35])
    assert (dataset.limbs, dataset.image_sizes) == (((0, 1), (0, 2)), {"one.png": (60, 40)})
    assert dataset.findings == []


def test_mpii_s_layout_counts_from_one(read):
    joints = mpii_person()["joints"]
    joints[3] = [-1.0, -1.0]
    dataset = read([mpii_person(joints=joints, joints_vis=[1] * 3 + [0] + [1] * 12), mpii_person(image="two.jpg")])
    first, second = dataset.people
    np.testing.assert_array_equal(first.keypoints[[0, 1, 3]], [[0, 0], [1, 2], [np.nan, np.nan]])
    # MMPose's box has a side of 200 x scale and its centre is moved down by 15 x scale.
    assert first.box.tolist() == [100 - 200, 70 + 30 - 200, 100 + 200, 70 + 30 + 200]
    assert (first.annotation, second.annotation, second.image) == (0, 1, "two.jpg")
    assert dataset.image_sizes == {"one.jpg": None, "two.jpg": None}
    assert dataset.findings == []


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        (dict(keypoints=[1, 2, 2]), "wrong_number_of_keypoints", "of 3 keypoints, got arrays of"),
        (dict(keypoints=[1, 2, 2, 1]), "wrong_number_of_keypoints", "of 3 keypoints"),
        (dict(keypoints=[1, 2, 2, "a", 2, 2, 3, 3, 2]), "wrong_number_of_keypoints", "of 3 keypoints"),
        (dict(keypoints=[0, 0, 2, 20, 21, 1, 0, 0, 0]), "no_coordinates", "labelled, but without coordinates: nose"),
        (dict(keypoints=[1, float("nan"), 2, 20, 21, 1, 0, 0, 0]), "no_coordinates", "nose"),
        (dict(keypoints=[1, 1, 5, 20, 21, 1, 0, 0, 0]), "unknown_flag", "flag 5 of nose: expected 0, 1 or 2"),
        (dict(num_keypoints=3), "wrong_count", "num_keypoints is 3, but 2 are labelled"),
        (dict(category_id=2), "unknown_category", "category_id 2: there are 1 (person)"),
        (dict(image_id=8), "unknown_image", "image_id 8 is not among the images"),
        (dict(bbox=[5, 5, 0, 30]), "unusable_box", "bbox is [5, 5, 0, 30]"),
        (dict(bbox=None), "unusable_box", "bbox is None"),
    ],
)
def test_a_broken_coco_annotation_is_found(read, changes, reason, detail):
    (finding,) = read(coco(annotation(**changes))).findings
    assert (finding.reason, detail in finding.detail) == (reason, True)
    assert finding.annotation == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(joints=[[1, 2]] * 15), "wrong_number_of_keypoints"),
        (dict(joints_vis=None), "wrong_number_of_keypoints"),
        (dict(joints=[[-1, -1]] + [[3, 4]] * 15), "no_coordinates"),
        (dict(joints_vis=[1] * 15 + [7]), "unknown_flag"),
        (dict(scale=0), "unusable_box"),
        (dict(center=[1]), "unusable_box"),
    ],
)
def test_a_broken_mpii_annotation_is_found(read, changes, reason):
    (finding,) = read([mpii_person(), mpii_person(**changes)]).findings
    assert (finding.reason, finding.annotation, finding.image) == (reason, 1, "one.jpg")


def test_what_is_wrong_with_a_whole_coco_file(read):
    images = [dict(id=7, file_name="one.png", width=60, height=40), dict(id=7, file_name="one.png", width=0, height=4)]
    category = dict(keypoints=["nose", "left_eye", "nose"], skeleton=[[1, 4]])
    dataset = read(coco(annotation(), annotation(), images=images, category=category))
    reasons = sorted(finding.reason for finding in dataset.findings)
    expected = ["repeated_id", "repeated_id", "repeated_image", "repeated_name", "repeated_name"]
    assert reasons == sorted([*expected[:3], "repeated_name", "unknown_limb", "unpaired_name", "unusable_size"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "expected COCO's layout"),
        ("{}", "expected COCO's layout"),
        ('[{"a": 1}]', "none of 1 entries has image and joints"),
        ('{"annotations": [], "images": []}', "'categories' must be a list of objects"),
        ('{"annotations": [], "images": [], "categories": [{"name": "cat"}]}', r"none of the categories \['cat'\] has"),
    ],
)
def test_files_of_neither_layout(tmp_path, text, message):
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_dataset(tmp_path / "file.json")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "file.json").write_bytes(b"\xff\x00\x81")
    with pytest.raises(ValueError, match="is not text"):
        read_dataset(tmp_path / "file.json")
