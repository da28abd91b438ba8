"""Tables as COCO's files, read back by pycocotools and MMPose."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest
from csv2coco import CocoSettings, find_image, make_coco, split_images
from keypoint_tables import KeypointTable, TablePoint, read_table
from mmpose.datasets import CocoDataset
from xtcocotools.coco import COCO

from efficientpose.datasets.annotation_files import make_category

SETTINGS = CocoSettings()


@pytest.fixture
def images(tmp_path):
    """Ten images of 60 x 40, in two folders."""
    for number in range(10):
        folder = tmp_path / "images" / ("walk" if number < 6 else "run")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), np.full((40, 60, 3), number, np.uint8))
    return tmp_path / "images"


@pytest.fixture
def table():
    names = ("head_top", "upper_neck", "left_hand")
    person = dict(zip(names, (TablePoint(21, 11, 2), TablePoint(31, 16, 1), TablePoint(26, 31, 2)), strict=True))
    half = dict(list(person.items())[:2])
    paths = [f"{'walk' if number < 6 else 'run'}/{number}.png" for number in range(10)]
    return KeypointTable(names, {path: {"a": person, "b": half, "c": {}} for path in paths})


def test_an_annotation_worked_out_by_hand(table, images):
    content = make_coco(table, ["walk/3.png"], images, CocoSettings(origin=1.0, box_margin=0.2))
    assert content["images"] == [dict(id=1, file_name="walk/3.png", width=60, height=40)]
    first, second = content["annotations"]
    assert first["keypoints"] == [20, 10, 2, 30, 15, 1, 25, 30, 2]
    # The box is 20..30 by 10..30, its longer side 20: 4 more on every side.
    assert first["bbox"] == [16, 6, 18, 28]
    assert (first["area"], first["num_keypoints"], first["iscrowd"]) == (18 * 28, 3, 0)
    assert second["keypoints"] == [20, 10, 2, 30, 15, 1, 0, 0, 0]
    assert (second["num_keypoints"], second["id"], second["image_id"]) == (2, 2, 1)
    (category,) = content["categories"]
    assert (category["keypoints"], category["skeleton"]) == (["head_top", "upper_neck", "left_hand"], [[1, 2]])


def test_a_box_stays_inside_the_image(table, images):
    content = make_coco(table, ["walk/3.png"], images, CocoSettings(box_margin=5.0))
    assert content["annotations"][0]["bbox"] == [0, 0, 59, 39]


@pytest.mark.parametrize("wrong", [dict(origin=float("nan")), dict(box_margin=-0.1), dict(box_margin=float("inf"))])
def test_impossible_settings(wrong):
    with pytest.raises(ValueError, match="the origin is a number and the box margin 0 or more"):
        CocoSettings(**wrong)


def test_keypoints_come_in_the_order_asked_for(table, images):
    settings = CocoSettings(keypoint_names=("nose", "left_hand", "upper_neck", "head_top"))
    annotation = make_coco(table, ["walk/3.png"], images, settings)["annotations"][1]
    assert annotation["keypoints"] == [0, 0, 0, 0, 0, 0, 31, 16, 1, 21, 11, 2]


def test_limbs():
    assert make_category(("b", "a", "c"), (("a", "b"), ("c", "a")))["skeleton"] == [[2, 1], [3, 2]]
    assert make_category(("nose", "left_knee", "left_ankle"))["skeleton"] == [[2, 3]]
    with pytest.raises(ValueError, match="limb a:d: unknown keypoint d; there are b, a"):
        make_category(("b", "a"), (("a", "d"),))


def test_unknown_keypoints_and_absent_images(table, images):
    with pytest.raises(ValueError, match="unknown keypoint left_hand: expected head_top, upper_neck"):
        make_coco(table, ["walk/3.png"], images, CocoSettings(keypoint_names=("head_top", "upper_neck")))
    (images / "walk" / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"walk/3\.png: no such image"):
        make_coco(table, ["walk/3.png"], images, SETTINGS)


def test_an_image_is_found_with_folders_in_front(images):
    assert find_image(images, "labeled-data\\walk\\3.png") == images / "walk" / "3.png"
    assert find_image(images / "walk", "labeled-data/walk/3.png") == images / "walk" / "3.png"
    with pytest.raises(FileNotFoundError, match="no such image"):
        find_image(images / "run", "../walk/3.png")


def test_the_division_is_by_seed_and_keeps_the_order():
    names = [f"{number:02}.png" for number in range(20)]
    train, val = split_images(names, val_share=0.2, seed=3, by_folder=False)
    assert (len(train), len(val)) == (16, 4)
    assert sorted(train + val) == names
    assert train == sorted(train)
    assert split_images(names, val_share=0.2, seed=3, by_folder=False) == (train, val)
    assert split_images(names, val_share=0.2, seed=4, by_folder=False)[1] != val
    assert split_images(names, val_share=0, seed=3, by_folder=False) == (names, [])


def test_folders_stay_together():
    names = [f"{folder}/{number}.png" for folder in "abc" for number in range(4)]
    train, val = split_images(names, val_share=0.3, seed=0, by_folder=True)
    assert (len({name[0] for name in train}), len({name[0] for name in val}), len(val)) == (2, 1, 4)


@pytest.mark.parametrize(
    ("share", "message"), [(1.0, "must be at least 0 and below 1, got 1.0"), (0.5, "there is 1 image, too few")]
)
def test_divisions_that_cannot_be(share, message):
    with pytest.raises(ValueError, match=message):
        split_images(["a.png"], val_share=share, seed=0, by_folder=False)


@pytest.fixture
def convert(repository, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["csv2coco.py", *map(str, arguments)])
        runpy.run_path(str(repository / "tools" / "dataset_converters" / "csv2coco.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_mmpose_reads_what_was_in_the_table(convert, images, tmp_path):
    """With COCO's own names MMPose's CocoDataset needs no description of the skeleton."""
    names = CocoDataset(lazy_init=True, test_mode=False).metainfo["keypoint_id2name"].values()
    points = {name: (20.25 + index, 5.5 + index) for index, name in enumerate(names)}
    lines = [f"walk/0.png,me,{name},{x},{y}" for name, (x, y) in points.items() if name != "left_knee"]
    lines += ["walk/0.png,me,left_knee,,", "run/7.png,me,nose,3,4"]
    (tmp_path / "table.csv").write_text("\n".join(["image,person,keypoint,x,y", *lines]))
    options = ("--val-share", 0.5, "--seed", 0, "--keypoints", *names, "--limbs", "nose:left_eye")
    printed = convert(tmp_path / "table.csv", images, tmp_path / "out", *options)
    assert "train.json: 1 people in 1 images" in printed
    files = [tmp_path / "out" / "annotations" / f"{part}.json" for part in ("train", "val")]
    (path,) = [file for file in files if "walk/0.png" in file.read_text()]

    coco = COCO(str(path))
    assert coco.loadCats(coco.getCatIds())[0]["skeleton"] == [[1, 2]]
    dataset = CocoDataset(ann_file=str(path), data_prefix=dict(img=f"{images}/"), test_mode=True)
    sample = dataset.get_data_info(0)
    visible = np.array([name != "left_knee" for name in names])
    assert sample["keypoints"].shape == (1, 17, 2)
    np.testing.assert_array_equal(sample["keypoints_visible"][0], visible)
    np.testing.assert_allclose(sample["keypoints"][0, visible], np.array(list(points.values()))[visible])
    assert sample["img_path"] == f"{images}/walk/0.png"


def test_no_validation_part_stays_from_an_earlier_run(convert, images, tmp_path):
    rows = [f"walk/{number}.png,me,nose,3,4" for number in range(4)]
    (tmp_path / "table.csv").write_text("\n".join(["image,person,keypoint,x,y", *rows]))
    validation = tmp_path / "out" / "annotations" / "val.json"
    convert(tmp_path / "table.csv", images, tmp_path / "out", "--val-share", 0.5)
    assert validation.is_file()
    convert(tmp_path / "table.csv", images, tmp_path / "out", "--val-share", 0)
    assert not validation.exists()


def test_the_tool_s_errors_name_what_is_wrong(convert, images, tmp_path):
    (tmp_path / "table.csv").write_text("image,person,x,y\n")
    with pytest.raises(SystemExit, match=r"error: .*table\.csv: the header lacks keypoint"):
        convert(tmp_path / "table.csv", images, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "table.csv").write_text("image,person,keypoint,x,y\ngone.png,0,nose,1,2\n")
    with pytest.raises(SystemExit, match=r"error: .*gone\.png: no such image"):
        convert(tmp_path / "table.csv", images, tmp_path / "out", "--val-share", 0)
    assert not (tmp_path / "out").exists()


def test_a_deeplabcut_project(convert, images, tmp_path):
    rows = [f"labeled-data,{folder},{number}.png,{number + 0.5},2" for folder, number in [("walk", 0), ("run", 8)]]
    (tmp_path / "t.csv").write_text("\n".join(["scorer,,,A,A", "bodyparts,,,nose,nose", "coords,,,x,y", *rows]))
    convert(tmp_path / "t.csv", images, tmp_path / "out", "--split-by", "folder", "--val-share", 0.5)
    parts = [json.loads((tmp_path / "out" / "annotations" / f"{part}.json").read_text()) for part in ("train", "val")]
    found = {part["images"][0]["file_name"]: part["annotations"][0]["keypoints"] for part in parts}
    assert found == {"walk/0.png": [0.5, 2, 2], "run/8.png": [8.5, 2, 2]}
    assert len(read_table(tmp_path / "t.csv").images) == 2
