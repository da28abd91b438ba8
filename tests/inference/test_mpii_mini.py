"""The released weights on five people of MPII, through ``tools/test.py``: what each way of testing scores."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from efficientpose.core.shipped_files import mpii_config_path

TOOL = Path(__file__).parents[2] / "tools" / "test.py"
WAYS = {"plain": (), "flip": ("--flip-test",), "multi-scale": ("--tta",)}
SCORES = {
    # PCKh@0.5 and PCKh@0.1, 66 joints: one of them is 1.52.
    ("rt", "plain"): (90.91, 24.24),
    ("rt", "flip"): (89.39, 25.76),
    ("rt", "multi-scale"): (92.42, 25.76),
    ("i", "plain"): (95.45, 28.79),
    ("i", "flip"): (95.45, 36.36),
    ("i", "multi-scale"): (96.97, 36.36),
}


@pytest.fixture(scope="module")
def dataset_options(shared, tmp_path_factory):
    """Options of the tool that name the five people, with the head boxes of their rows in MPII's validation truth."""
    root = shared / "data" / "mpii_mini"
    ann_file = root / "annotations" / "mpii_val.json"
    contents = loadmat(shared / "data" / "mpii_val" / "mpii_gt_val.mat")
    truth = contents["pos_gt_src"].transpose(2, 0, 1)
    rows = []
    for person in json.loads(ann_file.read_text()):
        visible = np.array(person["joints_vis"], dtype=bool)
        (row,) = np.flatnonzero((np.abs(truth - person["joints"])[:, visible] < 0.01).all(axis=(1, 2)))
        rows.append(row)
    headbox_file = tmp_path_factory.mktemp("mpii_mini") / "heads.mat"
    savemat(headbox_file, {"headboxes_src": contents["headboxes_src"][:, :, rows]})
    options = dict(data_root="", ann_file=ann_file, headbox_file=headbox_file)
    dataset = [f"dataset.{key}={value}" for key, value in options.items()]
    dataset += [f"dataset.data_prefix.img={root / 'images'}", "batch_size=5"]
    return [f"test_dataloader.{option}" for option in (*dataset, "num_workers=0", "persistent_workers=False")]


@pytest.mark.parametrize(("variant", "way"), SCORES)
def test_released_weights_score_as_recorded(variant, way, dataset_options, checkpoints, tmp_path, monkeypatch):
    scores_file = tmp_path / "scores.json"
    arguments = [TOOL, mpii_config_path(variant), checkpoints[variant], *WAYS[way], "--out", scores_file]
    arguments += ["--work-dir", tmp_path, "--cfg-options", "test_evaluator.num_bootstrap=0", *dataset_options]
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    runpy.run_path(str(TOOL), run_name="__main__")
    scores = json.loads(scores_file.read_text())
    assert (scores["PCKh@0.5"], scores["PCKh@0.1"]) == pytest.approx(SCORES[variant, way], abs=0.005)
