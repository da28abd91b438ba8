"""The benchmark compares two ways to the same maps; what it measures is not tested here."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from efficientpose.benchmark import training as target_benchmark
from efficientpose.benchmark.training import (
    TargetsFromLoader,
    TargetsInLoader,
    compare,
    compare_pipelines,
    compare_steps,
    enlarge_images,
)
from efficientpose.core.shipped_files import mpii_config_path

SIZE = (48, 64)


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """Three people in pictures of 120 × 90, one joint each not labelled."""
    root = tmp_path_factory.mktemp("mpii")
    rng = np.random.default_rng(0)
    for folder in ("images", "annotations"):
        (root / folder).mkdir()
    people = []
    for index in range(3):
        cv2.imwrite(str(root / "images" / f"{index}.jpg"), rng.integers(0, 256, (90, 120, 3), np.uint8))
        joints = rng.uniform((20, 10), (100, 80), (16, 2)).round(1).tolist()
        visible = [int(joint != index) for joint in range(16)]
        person = dict(image=f"{index}.jpg", joints=joints, joints_vis=visible, center=[60.0, 45.0], scale=0.4)
        people.append(person)
    (root / "annotations" / "mpii_train.json").write_text(json.dumps(people))
    return root


@pytest.fixture
def config():
    """RT at a small size that is not square, with one worker."""
    config = Config.fromfile(mpii_config_path("rt"))
    config.train_dataloader.update(batch_size=2, num_workers=1)
    for step in config.train_dataloader.dataset.pipeline:
        if step.type.endswith("Affine"):
            step.input_size = SIZE
    config.model.head.decoder.input_size = SIZE
    return config


def test_maps_from_the_loader_are_those_drawn_on_the_device(config, mpii):
    init_default_scope("mmpose")
    settings = target_benchmark._loader_settings(config, data_root=mpii, num_samples=3, with_targets=True)
    dataset = DATASETS.build(settings["dataset"])
    samples = pseudo_collate([dataset[index] for index in range(3)])["data_samples"]
    assert {levels.heatmaps.dtype for sample in samples for levels in sample.gt_fields} == {torch.float32}
    codec = TargetsInLoader(input_size=SIZE)
    given = TargetsFromLoader(codec)
    given.samples = samples
    keypoints = torch.from_numpy(np.concatenate([each.gt_instances.transformed_keypoints for each in samples])).float()
    visible = torch.from_numpy(np.concatenate([each.gt_instances.keypoints_visible for each in samples]))
    found = given.render(keypoints, visible, with_pafs=True, with_full_heatmaps=True)
    drawn = codec.render(keypoints, visible)
    shapes = [(3, 16, 8, 6), (3, 16, 64, 48), (3, 28, 8, 6), (3, 16), (3, 14)]
    assert [tuple(each.shape) for each in found[:5]] == shapes
    for from_loader, on_device in zip(found[:7], drawn[:7], strict=True):
        torch.testing.assert_close(from_loader, on_device)
    assert found.keypoint_weights.sum(dim=1).max() < 16
    assert given.render(keypoints, visible, with_pafs=False, with_full_heatmaps=False)[1:3] == (None, None)


def test_two_ways_take_turns_and_the_ratio_is_that_of_turns():
    """The first turn of each is left out. Seconds: 1, 4, 2 against 2, 2, 8, for 8 samples."""
    done, now = [], [0.0]
    seconds = dict(device=[100, 1, 4, 2], loader=[100, 2, 2, 8])

    def work(way):
        done.append(way)
        now[0] += seconds[way].pop(0)
        return 8

    compared = compare(lambda: work("device"), lambda: work("loader"), repetitions=3, clock=lambda: now[0])
    assert done == ["device", "loader"] * 4
    assert compared == (4.0, 4.0, 2.0)  # medians of 8, 2, 4; of 4, 4, 1; of 2, 1/2, 4


def test_pipelines_are_measured_with_their_workers(config, mpii):
    compared = compare_pipelines(config, data_root=mpii, num_samples=3, repetitions=1)
    assert compared.speed.ratio == pytest.approx(compared.speed.device / compared.speed.loader)
    assert compared.speed.device > 0
    assert 10 < compared.device_memory < 1e5
    assert 10 < compared.loader_memory < 1e5


def test_steps_have_the_same_loss_both_ways_or_are_refused(config, mpii, monkeypatch):
    compared = compare_steps(config, data_root=mpii, batch_size=2, repetitions=1)
    assert min(compared) > 0

    def encode_other_maps(self, keypoints, keypoints_visible=None):
        return encode(self, keypoints + 5, keypoints_visible)

    encode = TargetsInLoader.encode
    monkeypatch.setattr(TargetsInLoader, "encode", encode_other_maps)
    with pytest.raises(RuntimeError, match="the losses with targets drawn on the device and given differ"):
        compare_steps(config, data_root=mpii, batch_size=2, repetitions=1)


def test_pictures_are_enlarged_with_their_annotations(mpii, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "1.jpg"), np.zeros((90, 120, 3), np.uint8))
    person = dict(image="1.jpg", joints=[[10.0, 20.0]], joints_vis=[1], center=[60.0, 45.0], scale=0.4)
    path = tmp_path / "annotations" / "mpii_train.json"
    path.write_text(json.dumps([person]))
    enlarge_images(tmp_path, width=300)
    assert cv2.imread(str(tmp_path / "images" / "1.jpg")).shape == (225, 300, 3)
    assert json.loads(path.read_text()) == [
        dict(image="1.jpg", joints=[[25.0, 50.0]], joints_vis=[1], center=[150.0, 112.5], scale=1.0)
    ]
