"""LSP's own 14 keypoints in COCO's format."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from lsp import LSP_NAMES
from lsp2mpii import LSP_LIMBS, convert, convert_to_coco
from mmpose.registry import DATASETS
from scipy.io import savemat

from efficientpose.core.skeleton import MPII_SKELETON
from efficientpose.custom_skeletons.description import make_skeleton
from efficientpose.datasets.transforms import PersonCenterScale

SCRIPT = Path(__file__).parents[2] / "tools" / "dataset_converters" / "lsp2mpii.py"
NUM_PEOPLE = 14


@pytest.fixture
def source(tmp_path):
    """LSPET's layout: joint k of entry n at x = 10 + 3k + n, y = 20 + 5k from 1; joint 2 of all is not visible."""
    entries = np.ones((NUM_PEOPLE, 14, 3))
    entries[:, :, 0] = 10 + 3 * np.arange(14) + np.arange(NUM_PEOPLE)[:, None]
    entries[:, :, 1] = 20 + 5 * np.arange(14)
    entries[:, 2] = -7.5, 3.25, 0
    folder = tmp_path / "source"
    (folder / "images").mkdir(parents=True)
    savemat(folder / "joints.mat", {"joints": entries.transpose(1, 2, 0)})
    for number in range(1, NUM_PEOPLE + 1):
        cv2.imwrite(str(folder / "images" / f"im{number:05d}.jpg"), np.full((120, 90, 3), number, np.uint8))
    return folder


def test_annotations_have_lsp_s_joints_from_0(source, tmp_path):
    summary = convert_to_coco(source, tmp_path / "out")
    assert (summary.num_train, summary.num_val) == (12, 2)
    content = json.loads(summary.training_file.read_text())
    assert content["images"][0] == dict(id=1, file_name="im00001.jpg", width=90, height=120)
    first = content["annotations"][0]
    assert first["keypoints"][:12] == [9, 19, 2, 12, 24, 2, 0, 0, 0, 18, 34, 2]
    assert first["num_keypoints"] == 13
    # joints reach from x 9 to 48 and y 19 to 84: a box of 39 x 65, enlarged by 1.12
    assert first["bbox"] == pytest.approx([28.5 - 21.84, 51.5 - 36.4, 43.68, 72.8], abs=1e-3)
    (category,) = content["categories"]
    assert category["keypoints"] == list(LSP_NAMES)
    val = json.loads((tmp_path / "out" / "annotations" / "lspet14_val.json").read_text())
    assert [image["id"] for image in val["images"]] == [4, 14]
    assert (tmp_path / "out" / "images" / "im00004.jpg").is_file()


def test_the_first_photographs_are_the_first_for_training(source, tmp_path):
    summary = convert_to_coco(source, tmp_path / "out", first=4)
    assert summary.training_file.name == "lspet14_train_4.json"
    assert [image["id"] for image in json.loads(summary.training_file.read_text())["images"]] == [1, 2, 3, 5]
    for first in (0, 13):
        with pytest.raises(ValueError, match=f"--first {first}: .* has 1 to 12 images for training"):
            convert_to_coco(source, tmp_path / "out", first=first)


def test_crops_are_those_of_the_16_keypoints(source, tmp_path):
    convert(source, tmp_path / "out")
    convert_to_coco(source, tmp_path / "out")
    settings = dict(data_root=str(tmp_path / "out"), data_prefix=dict(img="images/"))
    mpii = DATASETS.build(dict(type="ExactMpiiDataset", ann_file="annotations/lspet_train.json", **settings))
    coco = DATASETS.build(dict(type="CocoDataset", ann_file="annotations/lspet14_train.json", **settings))
    own, other = (PersonCenterScale().transform({**dataset[0], "img_shape": (120, 90)}) for dataset in (coco, mpii))
    np.testing.assert_allclose(own["bbox_center"], other["bbox_center"], atol=0.01)
    assert own["bbox_scale"].max() == pytest.approx(other["bbox_scale"].max(), abs=0.01)  # then made square
    np.testing.assert_allclose(own["keypoints"][0, 13], other["keypoints"][0, 9], atol=0.01)  # head tops


def test_limbs_are_a_tree_and_mpii_s_but_for_the_trunk():
    skeleton = make_skeleton(LSP_NAMES, LSP_LIMBS)
    assert len(skeleton.limbs) == 13
    assert set(LSP_LIMBS) - set(MPII_SKELETON.named_limbs) == {
        ("right_shoulder", "right_hip"),
        ("left_shoulder", "left_hip"),
    }


def test_the_tool_converts_and_refuses(source, tmp_path):
    def run(*arguments):
        command = [sys.executable, str(SCRIPT), str(source), str(tmp_path / "out"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = run("--format", "coco", "--first", "2")
    assert done.returncode == 0, done.stderr
    assert "lspet14_train_2.json: 2 people; for validation: 2" in done.stdout
    assert "--first goes with --format coco" in run("--first", "2").stderr
