"""A config written for a skeleton trains, tests, predicts and is exported."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from efficientpose.core.shipped_files import starter_checkpoint
from efficientpose.custom_skeletons.config_text import ConfigSettings, render_config, write_config
from efficientpose.custom_skeletons.description import SkeletonError
from efficientpose.custom_skeletons.reading import describe
from efficientpose.runtime.estimator import PoseEstimator
from efficientpose.runtime.predict_files import predict_files
from efficientpose.weights.checkpoint import make_checkpoint, save_checkpoint

TOOL = Path(__file__).parents[2] / "tools" / "new_skeleton.py"
NAMES = [
    "neck",
    *(f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "heel", "toe") for side in ("left", "right")),
]
CHAIN = ["neck", "hip", "knee", "ankle", "heel"]
LIMBS = [
    *(
        (one if one == "neck" else f"{side}_{one}", f"{side}_{other}")
        for one, other in pairwise(CHAIN)
        for side in ("left", "right")
    ),
    ("left_ankle", "left_toe"),
    ("right_ankle", "right_toe"),
]


def write_people(root):
    """Three people on noise; COCO's format."""
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    content = dict(images=[], annotations=[], categories=[dict(id=1, name="person")])
    for number in (1, 2, 3):
        cv2.imwrite(str(root / "images" / f"{number}.png"), rng.integers(0, 256, (90, 120, 3), np.uint8))
        content["images"].append(dict(id=number, file_name=f"{number}.png", width=120, height=90))
        points = np.column_stack((rng.uniform((20, 10), (100, 80), (len(NAMES), 2)), np.full(len(NAMES), 2)))
        content["annotations"].append(
            dict(id=number, image_id=number, category_id=1, bbox=[20, 10, 80, 70], area=5600, iscrowd=0,
                 num_keypoints=len(NAMES), keypoints=points.ravel().tolist())
        )  # fmt: skip
    for part in ("train", "val"):
        (root / f"{part}.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A config made by the tool, and the folder of one epoch of it from the starter checkpoint, at 48 pixels."""
    root = tmp_path_factory.mktemp("mine")
    write_people(root / "data")
    config_path = root / "configs" / "my_rt.py"
    arguments = ["--names", ",".join(NAMES), "--limbs", ",".join("-".join(limb) for limb in LIMBS)]
    arguments += ["--data", str(root / "data"), "--ann", "train.json", "--val-ann", "val.json", "--epochs", "1"]
    arguments += ["--weights", str(starter_checkpoint()), "--batch-size", "2", "--out", str(config_path)]
    made = subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "my_rt.py: 11 keypoints, 10 limbs" in made.stdout
    config = Config.fromfile(config_path)
    config.work_dir = str(root / "run")
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        next(step for step in loader.dataset.pipeline if step.type.endswith("Affine")).input_size = (48, 48)
    config.model.head.decoder.input_size = (48, 48)
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 2
    assert {"coco/AP"} <= runner.test().keys()
    return config_path, root / "run", runner


@pytest.mark.slow
def test_it_starts_from_the_given_weights(trained):
    _, folder, runner = trained
    stored = torch.load(starter_checkpoint(), weights_only=True)["state_dict"]["head.heatmap_passes.1.predict.bias"]
    own = runner.model.head.passes[-1].predict.bias
    torch.testing.assert_close(own[0], stored[8], atol=3e-3, rtol=0)  # the neck's, after two small steps
    assert runner.model.head.decoder.limbs[2] == (1, 3)
    log = next(folder.rglob("*.log")).read_text()
    assert "7 of 11 keypoints: neck (from upper_neck), left_hip," in log


@pytest.mark.slow
def test_the_copy_of_the_config_keeps_the_order_of_keypoints(trained):
    """MMEngine writes the keys of its copies in alphabetical order, 10 before 2."""
    from mmpose.apis import init_model

    from efficientpose.models.trained_skeleton import trained_skeleton

    config_path, folder, _ = trained
    for path in (config_path, folder / "my_rt.py"):
        skeleton = trained_skeleton(init_model(str(path), device="cpu"))
        assert skeleton.keypoint_names == tuple(NAMES)
        assert skeleton.flip_indices == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9)
        assert skeleton.named_limbs == tuple(LIMBS)


@pytest.mark.slow
def test_a_trained_skeleton_starts_another(trained):
    """What MMEngine wrote says its keypoints and limbs."""
    from mmengine.runner.checkpoint import CheckpointLoader

    from efficientpose.custom_skeletons.pretrained import recorded_keypoints, recorded_limbs

    _, folder, _ = trained
    meta = CheckpointLoader.load_checkpoint(str(folder / "epoch_1.pth"), map_location="cpu")["meta"]
    assert recorded_keypoints(meta, num_keypoints=11) == tuple(NAMES)
    assert recorded_limbs(meta, NAMES, num_limbs=10) == tuple(LIMBS)


@pytest.mark.slow
def test_it_predicts_and_is_exported(trained, tmp_path):
    from efficientpose.export.deployed import ExportOptions
    from efficientpose.export.files import export_files
    from efficientpose.inference.estimator import TorchPoseEstimator

    _, folder, runner = trained
    checkpoint = tmp_path / "mine.pth"
    save_checkpoint(make_checkpoint(runner.model.state_dict(), variant="rt", source="test"), checkpoint)
    estimator = TorchPoseEstimator.load(config=folder / "my_rt.py", weights=checkpoint)
    images = sorted((folder.parent / "data" / "images").iterdir())
    result = predict_files(estimator, images[:1], tmp_path, draw_maps=frozenset(("heatmaps", "pafs")))
    assert len(result.drawn) == 3
    document = json.loads((tmp_path / "predictions.json").read_text())
    assert document["keypoint_names"] == NAMES
    assert document["skeleton"][:2] == [[0, 1], [0, 2]]
    assert len(document["images"][0]["instances"][0]["keypoints"]) == 11
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    (exported,) = export_files(
        estimator.model,
        ExportOptions(pafs=True),
        formats=["onnx"],
        folder=tmp_path,
        name="mine",
        weights="",
        crops=crops,
    )
    runtime = PoseEstimator(exported.path, threads=1)
    assert runtime.skeleton == estimator.skeleton
    image = cv2.imread(str(images[0]))
    (own,), (other,) = runtime.predict(image, [[20, 10, 100, 80]]), estimator.predict(image, [[20, 10, 100, 80]])
    assert own.keypoints.shape == (11, 3)
    np.testing.assert_allclose(own.keypoints, other.keypoints, atol=0.5)


def test_the_tool_explains_what_is_wrong(run_tool, tmp_path):
    names = ["--names", "a,b,c", "--limbs", "a-b,b-c,c-a"]
    status, _, error = run_tool("new_skeleton.py", "--data", "d", "--out", tmp_path / "my.py", *names)
    assert status == 1
    assert error.startswith("error: limb c-a closes a cycle")


def test_texts_that_would_break_the_config_are_refused(tmp_path):
    description = describe(["a", "b"], [("a", "b")])
    for settings, message in [
        (dict(data_root='x"'), "data_root"),
        (dict(data_root="x", annotations="{{ a }}"), "annotations"),
    ]:
        with pytest.raises(SkeletonError, match=message):
            render_config(description, ConfigSettings(variant="rt", **settings), tmp_path / "my.py")
    with pytest.raises(SkeletonError, match=r"keypoint .*: leave out quotation marks"):
        render_config(
            describe(['a"', "b"], [('a"', "b")]), ConfigSettings(variant="rt", data_root="x"), tmp_path / "my.py"
        )
    with pytest.raises(ValueError, match="epochs and batch size must be at least 1"):
        ConfigSettings(variant="rt", data_root="x", max_epochs=0)
    for name in ("my.yaml", "my rt.py"):
        with pytest.raises(SkeletonError, match=r"a config is a \.py file"):
            write_config(description, ConfigSettings(variant="rt", data_root="x"), tmp_path / name)
    (tmp_path / "there.py").touch()
    with pytest.raises(FileExistsError, match="exists: choose"):
        write_config(description, ConfigSettings(variant="rt", data_root="x"), tmp_path / "there.py")


@pytest.mark.parametrize("variant", ["rt", "ii_lite", "iv"])
def test_a_config_is_read_as_the_variant_with_the_skeleton(variant, tmp_path):
    path = tmp_path / "my.py"
    settings = ConfigSettings(variant=variant, data_root="data/mine", annotations="a.json", max_epochs=30)
    write_config(describe(NAMES, LIMBS), settings, path)
    config = Config.fromfile(path)
    assert config.model.init_cfg.checkpoint == f"efficientpose://{variant}"
    assert config.model.init_cfg.keypoint_names == NAMES
    assert (config.model.head.num_keypoints, config.model.head.num_limbs) == (11, 10)
    assert config.train_dataloader.dataset.ann_file == "a.json"
    assert config.train_dataloader.dataset.data_root == "data/mine/"
    assert config.train_dataloader.dataset.metainfo.from_file == str(path)
    assert (config.train_cfg.max_epochs, config.train_cfg.val_interval) == (30, 3)
