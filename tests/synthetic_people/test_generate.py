import json

import cv2
import numpy as np
import pytest
from mmpose.datasets.datasets.body.mpii_dataset import MpiiDataset
from scipy.io import loadmat

from synthetic_people import generate as generate_module
from synthetic_people.generate import Plan, draw_image, generate

NUM_TRAIN, NUM_VAL = 10, 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small data set drawn by one process."""
    out = tmp_path_factory.mktemp("synthetic") / "one_worker"
    generate(Plan(num_train=NUM_TRAIN, num_val=NUM_VAL, seed=3), out)
    return out


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_workers_write_the_same_bytes(folder, tmp_path):
    calls = []
    plan = Plan(num_train=NUM_TRAIN, num_val=NUM_VAL, seed=3, num_workers=2)
    generate(plan, tmp_path / "two_workers", on_image=lambda: calls.append(1))
    assert files_of(tmp_path / "two_workers") == files_of(folder)
    assert len(calls) == NUM_TRAIN + NUM_VAL
    assert [path.name for path in tmp_path.iterdir()] == ["two_workers"]


def test_an_image_depends_on_seed_split_and_index_alone(folder, tmp_path):
    generate(Plan(num_train=2, num_val=1, seed=3), tmp_path / "fewer")
    larger = files_of(folder)
    for path, content in files_of(tmp_path / "fewer").items():
        if path.suffix == ".jpg":
            assert larger[path] == content
    generate(Plan(num_train=2, num_val=1, seed=4), tmp_path / "other")
    images = [
        files_of(tmp_path / "other")[path] for path in sorted(files_of(tmp_path / "other")) if path.suffix == ".jpg"
    ]
    assert len(set(images)) == 3
    assert not set(images) & set(larger.values())


@pytest.mark.parametrize(("split", "count"), [("train", NUM_TRAIN), ("val", NUM_VAL)])
def test_annotations_follow_mpii(folder, split, count):
    people = json.loads((folder / "annotations" / f"mpii_{split}.json").read_text())
    assert len(people) == len({person["image"] for person in people}) == count
    for person in people:
        assert set(person) == {"joints_vis", "joints", "image", "scale", "center"}
        image = cv2.imread(str(folder / "images" / person["image"]))
        height, width = image.shape[:2]
        assert int(person["image"].removesuffix(".jpg")) > 0
        for (x, y), visible in zip(person["joints"], person["joints_vis"], strict=True):
            # 1-based: the first pixel's centre is 1, its edge 0.5; what is not labelled is at -1.
            assert (0.5 <= x < width + 0.5 and 0.5 <= y < height + 0.5) if visible else (x, y) == (-1, -1)


def test_mmpose_reads_it_with_head_boxes(folder):
    dataset = MpiiDataset(
        ann_file="annotations/mpii_val.json",
        headbox_file=str(folder / "annotations" / "mpii_gt_val.mat"),
        data_root=str(folder),
        data_prefix={"img": "images/"},
        test_mode=True,
    )
    truth = loadmat(folder / "annotations" / "mpii_gt_val.mat")
    people = json.loads((folder / "annotations" / "mpii_val.json").read_text())
    assert len(dataset) == NUM_VAL
    for index in range(NUM_VAL):
        read = dataset.get_data_info(index)
        visible = read["keypoints_visible"][0] == 1
        np.testing.assert_array_equal(truth["jnt_missing"][:, index] == 0, visible)
        np.testing.assert_allclose(read["keypoints"][0, visible], truth["pos_gt_src"][visible, :, index], atol=1e-3)
        np.testing.assert_array_equal(truth["pos_gt_src"][~visible, :, index], 0)
        np.testing.assert_allclose(read["bbox_scale"], 200 * people[index]["scale"], rtol=1e-5)
        low, high = truth["headboxes_src"][:, :, index]
        np.testing.assert_allclose(read["head_size"], 0.6 * np.linalg.norm(high - low))
        assert np.all(high > low)
        assert cv2.imread(read["img_path"]) is not None


def test_fields_are_those_of_mpii_itself(folder, shared):
    real = json.loads((shared / "data" / "mpii_mini" / "annotations" / "mpii_val.json").read_text())[0]
    drawn = json.loads((folder / "annotations" / "mpii_val.json").read_text())[0]
    assert {name: type(value) for name, value in drawn.items()} == {name: type(value) for name, value in real.items()}
    real_truth = loadmat(shared / "data" / "mpii_val" / "mpii_gt_val.mat")
    truth = loadmat(folder / "annotations" / "mpii_gt_val.mat")
    for name in ("headboxes_src", "pos_gt_src", "jnt_missing"):
        assert truth[name].shape[:-1] == real_truth[name].shape[:-1]
        assert truth[name].dtype == real_truth[name].dtype
    assert [str(name[0]) for name in truth["dataset_joints"][0]] == [
        str(name[0]) for name in real_truth["dataset_joints"][0]
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_train": 0}, "train is 0: the number of images must be from 1 to 1000000"),
        ({"num_val": -2}, "val is -2"),
        ({"num_workers": 0}, "workers is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_plans_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Plan(**({"num_train": 1, "num_val": 1} | settings))


PLAN = Plan(num_train=1, num_val=1)


def test_what_is_there_is_kept_unless_overwriting_is_asked_for(tmp_path):
    out = tmp_path / "data"
    generate(PLAN, out)
    before = files_of(out)
    with pytest.raises(FileExistsError, match="data is not empty"):
        generate(Plan(num_train=1, num_val=1, seed=5), out)
    assert files_of(out) == before
    generate(Plan(num_train=1, num_val=1, seed=5), out, overwrite=True)
    assert files_of(out) != before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_foreign_folders_and_files_are_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(FileExistsError, match="holds more than images/ and annotations/"):
        generate(PLAN, tmp_path, overwrite=True)
    with pytest.raises(NotADirectoryError, match=r"thesis\.txt is a file"):
        generate(PLAN, tmp_path / "thesis.txt", overwrite=True)
    with pytest.raises(PermissionError, match=r"no folders can be made in .*thesis\.txt"):
        generate(PLAN, tmp_path / "thesis.txt" / "data")
    assert (tmp_path / "thesis.txt").read_text() == "ten years of work"


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def fill_the_disk(index, **settings):
        if index == 1:
            raise OSError("No space left on device")
        return draw_image(index, **settings)

    generate(PLAN, tmp_path / "data")
    before = files_of(tmp_path)
    monkeypatch.setattr(generate_module, "draw_image", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        generate(Plan(num_train=2, num_val=1), tmp_path / "data", overwrite=True)
    assert files_of(tmp_path) == before


def test_the_command_reports_success_and_errors(run_tool, tmp_path):
    arguments = ("make_synthetic_mpii.py", "--out", tmp_path / "data", "--train", 2, "--val", 1)
    status, printed, _ = run_tool(*arguments)
    assert status == 0
    assert "2 training and 1 validation images in" in printed
    status, _, error = run_tool(*arguments)
    assert status == 1
    assert "is not empty: name another folder" in error
