"""A tiny MPII and runs of RT on it, which take a fraction of a second an epoch."""

import json
import os
from functools import partial

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from scipy.io import savemat

from efficientpose.core.shipped_files import config_path

NUM_PEOPLE = 8
INPUT_SIZE = (32, 32)
HOOKS = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=1),
    param_scheduler=dict(type="ParamSchedulerHook"),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    checkpoint=dict(type="AtomicCheckpointHook", interval=1),
    seeding=dict(type="EpochSeedHook"),
    nan_guard=dict(type="NanGuardHook"),
    sigma=dict(type="ShrinkingSigmaHook", sigma_start=0.2, num_levels=2),
)


def write_tiny_mpii(root):
    """Eight people in MPII's layout, on random pictures of 120 × 90."""
    rng = np.random.default_rng(0)
    for folder in ("images", "annotations"):
        (root / folder).mkdir()
    for index in range(NUM_PEOPLE):
        cv2.imwrite(str(root / "images" / f"{index}.jpg"), rng.integers(0, 256, (90, 120, 3), np.uint8))
    for split in ("train", "val"):
        people = [
            dict(
                image=f"{index}.jpg",
                joints=rng.uniform((20, 10), (100, 80), (16, 2)).round(1).tolist(),
                joints_vis=[1] * 16,
                center=[60.0, 45.0],
                scale=0.4,
            )
            for index in range(NUM_PEOPLE)
        ]
        (root / "annotations" / f"mpii_{split}.json").write_text(json.dumps(people))
    corners = np.stack([np.full((2, NUM_PEOPLE), 30.0), np.full((2, NUM_PEOPLE), 60.0)])
    savemat(root / "annotations" / "mpii_gt_val.mat", {"headboxes_src": corners})


def tiny_config(mpii, work_dir, overrides=None):
    """RT at 32 px, trained for two epochs of two steps with SGD; the shipped augmentation, no validation."""
    config = Config.fromfile(config_path("efficientpose_rt_mpii.py"))
    config.work_dir = str(work_dir)
    config.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    config.model.head.decoder.input_size = INPUT_SIZE
    config.model.backbone.high_pretrained = None  # it would be fetched
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=f"{mpii}/")
        if "headbox_file" in loader.dataset:
            loader.dataset.headbox_file = str(mpii / "annotations" / "mpii_gt_val.mat")
        for step in loader.dataset.pipeline:
            if step.type.endswith("Affine"):
                step.input_size = INPUT_SIZE
    config.val_evaluator.num_bootstrap = 0
    config.optim_wrapper = dict(
        type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9), clip_grad=dict(max_norm=1.0)
    )
    config.param_scheduler = [dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)]
    config.default_hooks = HOOKS
    config.custom_hooks = []
    config.randomness = dict(seed=0)
    config.visualizer.vis_backends = []
    config.merge_from_dict(overrides or {})
    return config


@pytest.fixture(scope="session")
def mpii(tmp_path_factory):
    root = tmp_path_factory.mktemp("mpii")
    write_tiny_mpii(root)
    return root


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    """Forget that a launcher started the tests themselves, as in a Slurm job."""
    for name in os.environ:
        if name.startswith(("SLURM_", "TORCHELASTIC_", "MASTER_")) or name in {"RANK", "LOCAL_RANK", "WORLD_SIZE"}:
            monkeypatch.delenv(name)


@pytest.fixture
def make_config(mpii):
    """A function of the work folder that returns the config of a run."""
    return partial(tiny_config, mpii)


@pytest.fixture
def make_runner(mpii, tmp_path, monkeypatch):
    """A function of overrides and settings that returns a runner in the test's own work folder."""
    # MMEngine formats the config again for each checkpoint, which takes longer than a tiny epoch.
    monkeypatch.setattr(Config, "pretty_text", property(lambda config: ""))
    made = []

    def make(overrides=None, *, validate=False, work_dir=None, **settings):
        config = tiny_config(mpii, work_dir or tmp_path / "run", overrides)
        if not validate:
            config.val_cfg = config.val_dataloader = config.val_evaluator = None
        for key, value in settings.items():
            config[key] = value
        made.append(None)
        config.experiment_name = config.visualizer.name = f"{tmp_path}_{len(made)}"
        return Runner.from_cfg(config)

    return make
