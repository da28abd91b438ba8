"""Configs of students with a teacher: what differs from the plain student, and one epoch of training and testing."""

import ast
import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_checkpoint
from mmpose.registry import MODELS
from scipy.io import savemat

from efficientpose.core.shipped_files import config_path, mpii_config_path

PLAIN = {"efficientpose_rt_distilled_mpii.py": "efficientpose_rt_mpii.py"}
PLAIN["efficientpose_rt_distilled_synthetic.py"] = "efficientpose_rt_synthetic.py"
TEACHERS = {"efficientpose_rt_distilled_mpii.py": "ii", "efficientpose_rt_distilled_synthetic.py": "rt"}
SMALL = (48, 48)


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """Two people in MPII's layout; half of the joints of one are not labelled."""
    root = tmp_path_factory.mktemp("mpii")
    rng = np.random.default_rng(0)
    people = []
    for folder in ("images", "annotations"):
        (root / folder).mkdir()
    for index in range(2):
        cv2.imwrite(str(root / "images" / f"{index}.jpg"), rng.integers(0, 256, (90, 120, 3), np.uint8))
        joints = rng.uniform((20, 10), (100, 80), (16, 2)).round(1).tolist()
        visible = [1] * 8 + [index] * 8
        people.append(dict(image=f"{index}.jpg", joints=joints, joints_vis=visible, center=[60.0, 45.0], scale=0.4))
    for split in ("train", "val"):
        (root / "annotations" / f"mpii_{split}.json").write_text(json.dumps(people))
    corners = np.stack([np.full((2, 2), 30.0), np.full((2, 2), 60.0)])
    savemat(root / "annotations" / "mpii_gt_val.mat", {"headboxes_src": corners})
    return root


@pytest.fixture
def teacher_checkpoint(tmp_path):
    def make(variant):
        init_default_scope("mmpose")
        torch.manual_seed(1)
        network = MODELS.build(Config.fromfile(mpii_config_path(variant)).model)
        torch.save(dict(state_dict=network.state_dict()), tmp_path / "teacher.pth")
        return str(tmp_path / "teacher.pth")

    return make


def small(config, mpii, work_dir):
    config.work_dir = str(work_dir)
    config.model.backbone.high_pretrained = None  # it would be fetched
    config.experiment_name = config.visualizer.name = work_dir.name
    config.train_cfg.update(max_epochs=1, val_interval=1)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=f"{mpii}/", serialize_data=False)
        if "headbox_file" in loader.dataset:
            loader.dataset.headbox_file = str(mpii / "annotations" / "mpii_gt_val.mat")
        for step in loader.dataset.pipeline:
            if step.type.endswith("Affine"):
                step.input_size = SMALL
    config.model.head.decoder.input_size = SMALL
    config.val_evaluator.num_bootstrap = config.test_evaluator.num_bootstrap = 0
    return config


@pytest.mark.parametrize("name", PLAIN)
def test_it_differs_from_the_plain_student_in_a_few_lines(name):
    config, plain = (Config.fromfile(config_path(each)).to_dict() for each in (name, PLAIN[name]))
    model = config.pop("model")
    assert (model.pop("type"), model.pop("teacher"), model.pop("teacher_share")) == (
        "PoseMapDistiller",
        TEACHERS[name],
        0.5,
    )
    model.pop("teacher_checkpoint", None)
    model["type"] = "TopdownPoseEstimator"
    if "synthetic" in name:
        model["head"]["channels"] = 40
        config["train_cfg"] = plain["train_cfg"]
    assert model == plain.pop("model")
    assert config == plain
    text = ast.get_docstring(ast.parse(config_path(name).read_text()))
    assert f"python tools/train.py configs/{name}" in text


@pytest.mark.parametrize("name", PLAIN)
def test_it_trains_and_tests_and_leaves_a_plain_student(name, mpii, tmp_path, teacher_checkpoint, monkeypatch):
    monkeypatch.setattr(Config, "pretty_text", property(lambda config: ""))  # MMEngine formats it again and again
    config = small(Config.fromfile(config_path(name)), mpii, tmp_path / "run")
    config.model.teacher_checkpoint = teacher_checkpoint(TEACHERS[name])
    runner = Runner.from_cfg(config)
    before = {key: parameter.detach().clone() for key, parameter in runner.model.named_parameters()}
    runner.train()
    assert runner.model.teacher is not None
    # The first steps are too small for some weights of batch norms, which start at 1.
    moved = {
        key.split(".")[0] for key, parameter in runner.model.named_parameters() if not parameter.equal(before[key])
    }
    assert moved == {"backbone", "head"}

    plain = small(Config.fromfile(config_path(PLAIN[name])), mpii, tmp_path / "plain")
    plain.model.head.channels = config.model.head.channels
    tested = Runner.from_cfg(plain)
    load_checkpoint(tested.model, str(tmp_path / "run" / "epoch_1.pth"), strict=True)
    scores = tested.test()
    assert scores == pytest.approx(runner.val_loop.run())
    assert 0 <= scores["PCKh@0.1"] <= scores["PCKh@0.5"] <= 100
