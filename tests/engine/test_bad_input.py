"""What is wrong with either part of the data stops a training before its first iteration, not hours later."""

import json
import shutil

import numpy as np
import pytest
from mmengine.hooks import Hook
from scipy.io import savemat

HEAD_BOXES = "annotations/mpii_gt_val.mat"


class NoIteration(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        pytest.fail("an iteration began")


@pytest.fixture
def root(mpii, tmp_path):
    """A copy of the tiny MPII, to be broken."""
    shutil.copytree(mpii, tmp_path / "mpii")
    return tmp_path / "mpii"


@pytest.fixture
def train(make_runner, root):
    """A function that trains on the copy, validation included, and fails once an iteration begins."""

    def run():
        changes = {f"{part}_dataloader.dataset.data_root": f"{root}/" for part in ("train", "val")}
        changes["val_dataloader.dataset.headbox_file"] = str(root / HEAD_BOXES)
        runner = make_runner(changes, validate=True)
        runner.register_hook(NoIteration())
        runner.train()

    return run


def change_person(**entries):
    """Return a function of a part's people that changes the fourth."""

    def change(people):
        people[3] |= {key: value(people[3][key]) for key, value in entries.items()}
        return people

    return change


BROKEN_PEOPLE = {
    "nobody": (lambda people: [], "is empty: expected at least one person"),
    "absent image": (change_person(image=lambda _: "lost.jpg"), r"lost\.jpg: no such image \(1 of the 8 images that"),
    "NaN": (
        change_person(joints=lambda joints: [[float("nan"), 5.0], *joints[1:]]),
        r"person 3 \(3\.jpg\): labelled joint 0 is at \[nan, 5\.0\], expected finite coordinates",
    ),
    "14 joints": (change_person(joints=lambda joints: joints[:14]), r"person 3 \(3\.jpg\): joints are 14 entries"),
    "15 flags": (change_person(joints_vis=lambda flags: flags[:15]), r"person 3 .* expected 16 values 0 or 1"),
}


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize(("change", "message"), BROKEN_PEOPLE.values(), ids=BROKEN_PEOPLE)
def test_broken_annotations_stop_a_training_before_it_begins(train, root, part, change, message):
    path = root / "annotations" / f"mpii_{part}.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises((ValueError, FileNotFoundError), match=message) as stop:
        train()
    assert str(path) in str(stop.value)


@pytest.mark.parametrize("name", ["mpii_train.json", "mpii_val.json", "mpii_gt_val.mat"])
def test_a_missing_file_stops_a_training_before_it_begins(train, root, name):
    (root / "annotations" / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}.*: no such (annotation|head-box) file"):
        train()


@pytest.mark.parametrize("num_boxes", [7, 9])
def test_head_boxes_of_another_number_stop_a_training_before_it_begins(train, root, num_boxes):
    boxes = np.stack([np.full((2, num_boxes), 30.0), np.full((2, num_boxes), 60.0)])
    savemat(root / HEAD_BOXES, {"headboxes_src": boxes})
    message = rf"shape \(2, 2, {num_boxes}\), expected \(2, 2, 8\) for the 8 people of .*mpii_val\.json"
    with pytest.raises(ValueError, match=message):
        train()


def test_whole_input_gets_as_far_as_an_iteration(train):
    """Without this, the tests above could pass whatever the data."""
    with pytest.raises(pytest.fail.Exception, match="an iteration began"):
        train()
