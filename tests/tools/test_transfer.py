"""The experiment of fine-tuning to another skeleton."""

import json
from dataclasses import replace

import numpy as np
import pytest
from lsp import LSP_NAMES
from mmengine.config import Config
from PIL import Image
from scipy.io import savemat
from transfer import EPOCHS, TransferRun, prepare, read_score, render, score_path, train


def write_source(folder):
    """Six photographs in LSP Extended's layout, the fourth for validation."""
    (folder / "images").mkdir(parents=True)
    joints = np.ones((14, 3, 6))
    joints[:, :2] = np.random.default_rng(0).uniform(10, 80, (14, 2, 6))
    savemat(folder / "joints.mat", {"joints": joints})
    for number in range(1, 7):
        Image.new("RGB", (90, 120)).save(folder / "images" / f"im{number:05d}.jpg")
    return folder


def test_both_starts_differ_in_the_weights_alone(tmp_path):
    source = write_source(tmp_path / "source")
    configs = {
        start: prepare(TransferRun(photographs=3, start=start, epochs=5), source, tmp_path / "out")
        for start in ("released", "scratch")
    }
    assert configs["released"].model.init_cfg.checkpoint == "efficientpose://rt"
    assert tuple(configs["released"].model.init_cfg.keypoint_names) == LSP_NAMES
    assert configs["scratch"].model.init_cfg is None
    for name in ("optim_wrapper", "param_scheduler", "train_cfg", "randomness"):
        assert configs["released"][name] == configs["scratch"][name]
    for config in configs.values():
        assert isinstance(config, Config)
        assert (config.train_cfg.max_epochs, config.train_cfg.val_interval, config.resume) == (5, 5, True)
        assert config.train_dataloader.dataset.ann_file == "annotations/lspet14_train_3.json"
        assert (config.model.head.num_keypoints, config.model.head.num_limbs) == (14, 13)
    assert EPOCHS == {200: 16, 2000: 4}


def test_a_finished_run_is_not_repeated_and_its_score_is_in_the_table(tmp_path):
    run = TransferRun(photographs=200, start="released", epochs=16)
    assert read_score(run, tmp_path) is None
    with pytest.raises(ValueError, match="absent"):
        train(run, tmp_path / "absent", tmp_path)
    path = score_path(run, tmp_path)
    path.write_text(json.dumps({"scores": {"PCK@0.2": {"value": 61.25, "low": 60.0, "high": 62.5}}}))
    train(run, tmp_path / "absent", tmp_path)  # does not look at the data
    with pytest.raises(ValueError, match="holds a run of other settings"):
        train(replace(run, weights="other.pth"), tmp_path / "absent", tmp_path)
    table = render([read_score(run, tmp_path)])
    assert table.splitlines()[-1] == "| 200 | 3,200 | released | 61.2 [60.0, 62.5] |"
