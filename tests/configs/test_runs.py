"""Every config trains, validates and tests on a tiny MPII, through MMEngine's Runner and its own data loaders."""

import json
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks.test_time_aug_hook import build_runner_with_tta
from mmengine.runner import Runner
from scipy.io import savemat

from efficientpose.core.shipped_files import config_path
from efficientpose.core.variants import VARIANTS, get_variant
from efficientpose.evaluation.test_options import set_multi_scale_test

NUM_PEOPLE = 2
CONFIGS = [f"efficientpose_{variant}_mpii.py" for variant in VARIANTS] + [
    f"ablations/efficientpose_{variant}_{change}_mpii.py"
    for variant in ("i", "ii")
    for change in ("no_low_level", "no_paf", "one_pass", "three_passes", "no_upscaling")
]
CONFIGS += [
    f"ablations/efficientpose_rt_{change}_mpii.py" for change in ("no_paf", "one_pass", "three_passes", "no_upscaling")
]
OTHER_CONFIGS = [
    "efficientpose_rt_synthetic.py",
    "efficientpose_i_synthetic.py",
    "efficientpose_rt_lspet.py",
    "efficientpose_i_lspet.py",
    "efficientpose_ii_lspet.py",
]
SMALL = (48, 48)


def write_annotations(path, rng):
    """People in the manner of MPII: 1-based joints, one of them not labelled, centre, and height over 200 px."""
    people = []
    for index in range(NUM_PEOPLE):
        joints = rng.uniform((20, 10), (100, 80), (16, 2)).round(1)
        visible = [1] * 16
        joints[index], visible[index] = -1, 0
        people.append(
            dict(image=f"{index}.jpg", joints=joints.tolist(), joints_vis=visible, center=[60.0, 45.0], scale=0.4)
        )
    path.write_text(json.dumps(people))


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """A folder in MPII's layout with random pictures of 120 × 90."""
    root = tmp_path_factory.mktemp("mpii")
    rng = np.random.default_rng(0)
    for folder in ("images", "annotations"):
        (root / folder).mkdir()
    for index in range(NUM_PEOPLE):
        cv2.imwrite(str(root / "images" / f"{index}.jpg"), rng.integers(0, 256, (90, 120, 3), np.uint8))
    for split in ("train", "val"):
        write_annotations(root / "annotations" / f"mpii_{split}.json", rng)
    corners = np.stack([np.full((2, NUM_PEOPLE), 30.0), np.full((2, NUM_PEOPLE), 60.0)])
    savemat(root / "annotations" / "mpii_gt_val.mat", {"headboxes_src": corners})
    return root


def make_runner(name, mpii, work_dir, *, input_size=None, overrides=None):
    """The config called ``name`` on the tiny data set, for one epoch; sizes, paths and logging are overridden."""
    config = Config.fromfile(config_path(name))
    config.work_dir = str(work_dir)
    config.experiment_name = config.visualizer.name = work_dir.name
    config.train_cfg.update(max_epochs=1, val_interval=1)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=NUM_PEOPLE, num_workers=0, persistent_workers=False)
        for dataset in loader.dataset.get("datasets", [loader.dataset]):
            split = "val" if "val" in dataset.ann_file else "train"
            dataset.update(data_root=f"{mpii}/", ann_file=f"annotations/mpii_{split}.json", serialize_data=False)
            if "headbox_file" in dataset:
                dataset.headbox_file = str(mpii / "annotations" / "mpii_gt_val.mat")
            for step in dataset.pipeline:
                if input_size is not None and step.type.endswith("Affine"):
                    step.input_size = input_size
    if input_size is not None:
        config.model.head.decoder.input_size = input_size
    starts = dict(DualEfficientNet=("high_pretrained", "low_pretrained"), OpenPoseVGG=("pretrained",))
    config.model.backbone.update(dict.fromkeys(starts.get(config.model.backbone.type, ())))  # those would be fetched
    config.default_hooks.checkpoint = None
    config.randomness = dict(seed=0)
    config.merge_from_dict(overrides or {})
    return Runner.from_cfg(config)


def check_run(runner):
    """One epoch gives every parameter a sound gradient and moves the weights, and testing gives scores."""
    gradients = {}
    for name, parameter in runner.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda p, name=name: gradients.update({name: (p.grad.isfinite().all().item(), p.grad.any().item())})
        )
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    assert all(p.requires_grad for p in runner.model.parameters())
    runner.train()
    assert runner.iter == len(runner.train_dataloader)
    assert [name for name in before if gradients.get(name) != (True, True)] == []
    moved = {name.split(".")[0] for name, p in runner.model.named_parameters() if not p.equal(before[name])}
    assert moved == {"backbone", "head"}

    scores = runner.test()
    assert {"PCKh@0.5", "PCKh@0.1"} <= scores.keys()
    assert 0 <= scores["PCKh@0.1"] <= scores["PCKh@0.5"] <= 100


def slow_but_of_small_ones(names):
    """One config of each kind runs in seconds; the others are for ``make test-slow``."""
    is_small = re.compile(r"efficientpose_(rt|i|rt_lite|rt_no_upscaling)_mpii|rt_synthetic|rt_lspet").search
    return [name if is_small(name) else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", slow_but_of_small_ones([*CONFIGS, *OTHER_CONFIGS]))
def test_config_trains_and_tests_at_a_small_size(name, mpii, tmp_path):
    check_run(make_runner(name, mpii, tmp_path, input_size=SMALL))


def test_fine_tuning_trains_and_tests(mpii, tmp_path):
    """The released weights, which may not be at hand, are tested elsewhere."""
    overrides = {"model.init_cfg": None}
    check_run(make_runner("efficientpose_rt_lspet_finetune.py", mpii, tmp_path, input_size=SMALL, overrides=overrides))


@pytest.mark.slow
def test_the_starter_goes_on_from_the_run_on_synthetic_people(mpii, tmp_path):
    earlier = make_runner("efficientpose_rt_synthetic.py", mpii, tmp_path / "earlier", input_size=SMALL)
    earlier.train()
    bias = earlier.model.head.passes[-1].predict.bias.data.fill_(0.125)
    earlier.save_checkpoint(str(tmp_path), "epoch_18.pth")
    overrides = {"model.init_cfg.checkpoint": str(tmp_path / "epoch_18.pth")}
    starter = make_runner("efficientpose_rt_starter.py", mpii, tmp_path / "run", input_size=SMALL, overrides=overrides)
    check_run(starter)
    # Adam's first steps are each of the size of the rate, which starts at a hundredth of 0.001.
    torch.testing.assert_close(starter.model.head.passes[-1].predict.bias.data, bias, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_baseline_trains_and_tests(mpii, tmp_path):
    check_run(make_runner("baselines/mobilenetv2_synthetic.py", mpii, tmp_path))


@pytest.mark.parametrize("flip_test", [False, True])
def test_openpose_trains_and_tests(flip_test, mpii, tmp_path):
    """At an eighth of its width and a small size."""
    overrides = {"model.backbone.base_channels": 8, "model.head.in_channels": 16, "model.head.channels": 16}
    overrides |= {"model.test_cfg.flip_test": flip_test}
    runner = make_runner("openpose_mpii.py", mpii, tmp_path, input_size=SMALL, overrides=overrides)
    check_run(runner)
    config = runner.cfg
    set_multi_scale_test(config, [0.8, 1.0])
    config.experiment_name = config.visualizer.name = f"{tmp_path.name}_tta"
    assert "PCKh@0.5" in build_runner_with_tta(config).test()


@pytest.mark.parametrize("name", ["efficientpose_ii", "openpose"])
def test_narrow_baselines_train_and_test(name, mpii, tmp_path):
    runner = make_runner(f"baselines/{name}_narrow_sports.py", mpii, tmp_path, input_size=SMALL)
    runner.train()
    assert "torso/PCK@0.2" in runner.test()


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "model.backbone.drop_path_rate": 0.05,
            "model.head.losses.paf_weight": 0.1,
            "model.head.decoder.sigma": 0.1,
            "model.test_cfg.flip_test": True,
        },
        {"model.head.upsampling": "transposed_conv"},
    ],
    ids=str,
)
def test_options_of_the_command_line_train_and_test(overrides, mpii, tmp_path):
    check_run(make_runner("efficientpose_i_mpii.py", mpii, tmp_path, input_size=SMALL, overrides=overrides))


def test_crops_grow_over_the_epochs_and_are_whole_in_validation(mpii, tmp_path):
    sizes = [(32, 32), (40, 40), (48, 48)]
    runner = make_runner(
        "efficientpose_rt_progressive_synthetic.py",
        mpii,
        tmp_path / "run",
        input_size=SMALL,
        overrides={
            "train_cfg.max_epochs": 3,
            "default_hooks.input_size.input_sizes": sizes,
        },
    )
    seen = []
    runner.model.backbone.register_forward_pre_hook(
        lambda backbone, inputs: seen.append((backbone.training, tuple(inputs[0].shape[-2:])))
    )
    runner.train()
    assert [size for training, size in seen if training] == sizes
    assert {size for training, size in seen if not training} == {SMALL}


def test_input_that_is_not_square_trains_and_tests(mpii, tmp_path):
    check_run(make_runner("efficientpose_i_mpii.py", mpii, tmp_path, input_size=(48, 72)))


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_trains_and_tests_at_its_own_size(variant, mpii, tmp_path):
    runner = make_runner(f"efficientpose_{variant}_mpii.py", mpii, tmp_path)
    check_run(runner)
    batch = next(iter(runner.test_dataloader))
    resolution = get_variant(variant).resolution
    assert [tuple(image.shape) for image in batch["inputs"]] == [(3, resolution, resolution)] * NUM_PEOPLE


@pytest.mark.parametrize("name", ["efficientpose_rt_mpii.py", "ablations/efficientpose_i_no_upscaling_mpii.py"])
def test_targets_drawn_from_a_training_batch_lie_on_the_pictured_joints(name, mpii, tmp_path):
    """The keypoints that a training sample carries are the ones that the augmented crop shows."""
    runner = make_runner(name, mpii, tmp_path, input_size=SMALL)
    batch = next(iter(runner.build_dataloader(runner._train_dataloader)))
    codec = runner.model.head.decoder
    for item in batch["data_samples"]:
        keypoints, visible = item.gt_instances.transformed_keypoints, item.gt_instances.keypoints_visible
        targets = codec.render(torch.from_numpy(keypoints), torch.from_numpy(visible))
        maps = targets.full_heatmaps if runner.model.head.upsampler is not None else targets.heatmaps
        found, _ = codec.decode(maps[0].numpy())
        inside = targets.keypoint_weights[0].numpy() > 0
        stride = 1 if runner.model.head.upsampler is not None else 8
        assert inside.any()
        assert np.abs(found - keypoints)[0, inside].max() <= 1.1 * stride
