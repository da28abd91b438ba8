"""``tools/analysis/compare_decoders.py`` on the five people of MPII that come with the reference material."""

import json
import runpy
import sys

import numpy as np
import pytest
from scipy.io import savemat

from efficientpose.locations import mpii_config_path

KEYS = [f"{measure}@{threshold}" for measure in ("PCKh", "torso/PCK") for threshold in (0.05, 0.1, 0.2, 0.5)]


@pytest.fixture
def run_tool(repository, monkeypatch):
    """Run the tool with arguments; return its exit status."""

    def run(*arguments):
        tool = repository / "tools" / "analysis" / "compare_decoders.py"
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in (tool, *arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(tool), run_name="__main__")
        return end.value.code

    return run


@pytest.fixture
def five_people(shared, tmp_path):
    """Options that name them, with head boxes of 60 × 80 pixels, so that PCKh divides by 60."""
    root = shared / "data" / "mpii_mini"
    savemat(tmp_path / "heads.mat", {"headboxes_src": np.tile([[[0], [0]], [[60], [80]]], (1, 1, 5)).astype(float)})
    options = dict(data_root="", ann_file=root / "annotations" / "mpii_val.json", headbox_file=tmp_path / "heads.mat")
    dataset = [f"dataset.{key}={value}" for key, value in options.items()]
    dataset += [f"dataset.data_prefix.img={root / 'images'}", "num_workers=0", "persistent_workers=False"]
    return [f"test_dataloader.{option}" for option in dataset]


def test_sparse_decoding_scores_as_dense_decoding(run_tool, five_people, checkpoints, tmp_path, capsys):
    scores_file = tmp_path / "scores.json"
    arguments = (mpii_config_path("rt"), "--variant", "rt", "--weights", checkpoints["rt"], "--json", scores_file)
    assert run_tool(*arguments, "--cfg-options", *five_people) == 0
    results = json.loads(scores_file.read_text())
    assert list(results) == ["dense", "sparse", "subpixel"]
    assert results["sparse"]["scores"] == results["dense"]["scores"]
    assert results["sparse"]["milliseconds"] > 0
    assert results["sparse"]["scores"]["torso/PCK@0.1"] == pytest.approx(69.70, abs=0.005)
    assert results["subpixel"]["scores"] != results["sparse"]["scores"]
    assert set(KEYS) <= results["subpixel"]["scores"].keys()
    assert "subpixel" in capsys.readouterr().out


def test_first_people_only(run_tool, five_people, checkpoints, tmp_path):
    scores_file = tmp_path / "scores.json"
    arguments = (mpii_config_path("rt"), "--variant", "rt", "--weights", checkpoints["rt"], "--json", scores_file)
    assert run_tool(*arguments, "--people", 2, "--cfg-options", *five_people) == 0
    score = json.loads(scores_file.read_text())["sparse"]["scores"]["torso/PCK@0.1"]
    assert score != pytest.approx(69.70, abs=0.005)  # of all five


def test_network_that_is_not_upsampled_is_refused(run_tool, untrained_checkpoint, capsys):
    arguments = (mpii_config_path("rt"), "--variant", "rt", "--weights", untrained_checkpoint)
    assert run_tool(*arguments, "--cfg-options", "model.head.decoder.sparse=False") == 1
    assert "error: decoders are compared on an EfficientPoseHead with bilinear upsampling" in capsys.readouterr().err
