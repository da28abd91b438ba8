"""Scenes of several people through MMEngine's Runner: training, validation and testing on tiny synthetic scenes."""

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from efficientpose.core.shipped_files import config_path
from synthetic_people.generate import Plan, generate_crowds

WINDOW = (64, 48)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    out = tmp_path_factory.mktemp("crowd") / "data"
    generate_crowds(Plan(num_train=2, num_val=2, seed=0), out, max_people=3)
    return out


def make_runner(name, crowd, work_dir, **overrides):
    config = Config.fromfile(config_path(name))
    config.work_dir = str(work_dir)
    config.experiment_name = config.visualizer.name = work_dir.name
    config.train_cfg.update(max_epochs=1, val_interval=1)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=f"{crowd}/", serialize_data=False)
    config.train_dataloader.batch_size = 2
    config.train_dataloader.dataset.pipeline[2].input_size = WINDOW
    config.model.head.decoder.input_size = WINDOW
    config.default_hooks.checkpoint = None
    start = {"model.init_cfg": None, "model.backbone.high_pretrained": None}  # either would be fetched
    config.merge_from_dict({"randomness": dict(seed=0)} | start | overrides)
    return Runner.from_cfg(config)


@pytest.mark.parametrize("name", ["efficientpose_rt_bottomup.py", "efficientpose_rt_crowd.py"])
def test_config_trains_and_tests(name, crowd, tmp_path):
    runner = make_runner(name, crowd, tmp_path)
    assert type(runner.model).__name__ == "PafPoseEstimator"
    gradients = {}
    for key, parameter in runner.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda p, key=key: gradients.update({key: p.grad.isfinite().all().item() and p.grad.any().item()})
        )
    before = {key: p.detach().clone() for key, p in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 1
    assert [key for key in before if gradients.get(key) is not True] == []
    moved = {key.split(".")[0] for key, p in runner.model.named_parameters() if not p.equal(before[key])}
    assert moved == {"backbone", "head"}
    scores = runner.test()
    keys = {f"people/{key}" for key in ("people_precision", "people_recall", "joint_precision", "joint_recall")}
    assert keys | {"people/joint_f1", "coco/AP", "coco/AR"} <= scores.keys()
    assert all(0 <= scores[key] <= 100 for key in keys)


def test_perfect_maps_score_fully(crowd, tmp_path, monkeypatch):
    """With what a perfect network would give, everybody who can be told apart is found: the whole way is right."""
    runner = make_runner("efficientpose_rt_bottomup.py", crowd, tmp_path)
    codec = runner.model.head.decoder

    def see_truth(inputs, data_samples):
        (sample,) = data_samples
        width, height = sample.metainfo["input_size"]
        codec.input_size = (width, height)
        codec.sigma = 10 / max(width, height)
        placed = sample.metainfo
        truth = sample.gt_instances.keypoints - placed["input_center"] + 0.5 * placed["input_scale"]
        points = torch.from_numpy(truth / placed["input_scale"] * (width, height)).float()
        labelled = torch.from_numpy(sample.gt_instances.keypoints_visible)
        targets = codec.render_scenes(points[None], labelled[None], torch.zeros(1, len(points), 4))
        monkeypatch.setattr(
            runner.model, "predict_maps", lambda _, flip_indices: (targets.heatmaps.numpy(), targets.pafs.numpy())
        )
        return type(runner.model).predict(runner.model, inputs, data_samples)

    monkeypatch.setattr(runner.model, "predict", see_truth)
    scores = runner.test()
    assert scores["people/people_precision"] > 70
    assert scores["people/joint_precision"] > 80
    assert scores["people/joint_recall"] > 60


def test_the_loss_falls(crowd, tmp_path):
    runner = make_runner("efficientpose_rt_crowd.py", crowd, tmp_path)
    torch.manual_seed(0)
    np.random.seed(0)
    batch = next(iter(runner.build_dataloader(runner._train_dataloader)))
    model = runner.model.train()
    data = model.data_preprocessor(batch, True)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        parts = model(**data, mode="loss")
        assert set(parts) == {"loss_pafs", "loss_heatmaps_1", "loss_heatmaps_2"}
        total = sum(parts.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < 0.8 * losses[0], losses


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.head.decoder.input_size": (32, 32)}, "windows of (width, height) (64, 48)"),
        ({"model.head.upsampling": "transposed_conv"}, "scenes are trained at stride 8"),
        ({"train_dataloader.dataset.pipeline.3.pack_transformed": False}, "must have SceneWindow before it"),
    ],
    ids=str,
)
def test_what_does_not_fit(crowd, tmp_path, overrides, message):
    runner = make_runner("efficientpose_rt_crowd.py", crowd, tmp_path, **overrides)
    batch = next(iter(runner.build_dataloader(runner._train_dataloader)))
    data = runner.model.data_preprocessor(batch, True)
    with pytest.raises(ValueError, match=re.escape(message)):
        runner.model(**data, mode="loss")
