"""MPII and COCO in one training set, by MMPose's own ``CombinedDataset`` and ``KeypointConverter``."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, TRANSFORMS

from efficientpose.codecs.targets import weights_of_labels
from efficientpose.core.skeleton import NUM_KEYPOINTS
from efficientpose.models.head import EfficientPoseHead

INPUT_SIZE = (48, 48)
COCO_TO_MPII = list(zip((16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9), (*range(6), *range(10, 16)), strict=True))
CROP = [
    dict(type="PersonCenterScale"),
    dict(type="RandomFlip", prob=1.0),
    dict(type="TopdownAffine", input_size=INPUT_SIZE),
]


@pytest.fixture(autouse=True)
def _mmpose_scope():
    init_default_scope("mmpose")


@pytest.fixture
def combined(tmp_path):
    """One person of MPII and one of COCO, every keypoint labelled."""
    cv2.imwrite(str(tmp_path / "1.jpg"), np.zeros((90, 120, 3), np.uint8))
    rng = np.random.default_rng(0)
    joints = rng.uniform(30, 70, (16, 2)).tolist()
    person = dict(image="1.jpg", joints=joints, joints_vis=[1] * 16, center=[60.0, 45.0], scale=0.4)
    (tmp_path / "mpii.json").write_text(json.dumps([person]))
    keypoints = np.column_stack((rng.uniform(30, 70, (17, 2)), np.full(17, 2))).ravel().tolist()
    annotation = dict(id=1, image_id=1, category_id=1, bbox=[20, 10, 60, 70], area=4200, iscrowd=0)
    annotation |= dict(keypoints=keypoints, num_keypoints=17)
    images = [dict(id=1, file_name="1.jpg", width=120, height=90)]
    coco = dict(images=images, annotations=[annotation], categories=[dict(id=1, name="person")])
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    shared = dict(data_root=str(tmp_path), data_prefix=dict(img=""))
    converter = dict(type="KeypointConverter", num_keypoints=16, mapping=COCO_TO_MPII)
    return DATASETS.build(
        dict(
            type="CombinedDataset",
            metainfo=dict(from_file="configs/_base_/datasets/mpii.py"),
            datasets=[
                dict(type="ExactMpiiDataset", ann_file="mpii.json", **shared),
                dict(type="CocoDataset", ann_file="coco.json", pipeline=[converter], **shared),
            ],
            pipeline=[dict(type="LoadImage"), *CROP, dict(type="PackPoseInputs", pack_transformed=True)],
        )
    )


def test_mpii_and_coco_train_in_one_batch(combined):
    samples = pseudo_collate([combined[0], combined[1]])["data_samples"]
    assert [sample.gt_instances.keypoints_visible.ndim for sample in samples] == [2, 3]
    head = EfficientPoseHead(
        in_channels=8, channels=4, num_blocks=1, decoder=dict(type="FullResolutionHeatmap", input_size=INPUT_SIZE)
    )
    features = (torch.rand(2, 8, 6, 6),)
    targets = head.draw_targets(head(features), samples)
    absent = sorted(set(range(NUM_KEYPOINTS)) - {target for _, target in COCO_TO_MPII})
    assert targets.keypoint_weights[0, absent].tolist() == [1, 1, 1, 1]
    assert targets.keypoint_weights[1, absent].tolist() == [0, 0, 0, 0]
    assert sum(head.loss(features, samples).values()).isfinite()


def test_weights_of_labels_by_hand():
    assert weights_of_labels(np.array([[2, 1, 0]])).tolist() == [[1, 1, 0]]
    assert weights_of_labels(np.array([[[2, 0.5], [1, 0], [0, 1]]])).tolist() == [[0.5, 0, 0]]


def test_fields_drawn_in_the_loader_are_packed_with_their_weights():
    encoder = dict(type="FullResolutionHeatmap", input_size=INPUT_SIZE, heatmap_size=(6, 6), encode_pafs=True)
    visible = np.stack((np.ones((1, 16)), np.full((1, 16), 0.5)), axis=2)
    results = dict(img=np.zeros((48, 48, 3), np.uint8), keypoints=np.full((1, 16, 2), 20.0), keypoints_visible=visible)
    for step in (dict(type="GenerateTarget", encoder=encoder), dict(type="PackPoseInputs")):
        results = TRANSFORMS.build(step)(results)
    sample = results["data_samples"]
    assert sample.gt_fields.pafs.shape == (28, 6, 6)
    assert sample.gt_instance_labels.limb_weights.shape == (1, 14)
    head = EfficientPoseHead(in_channels=8, channels=4, num_blocks=1, decoder=encoder)
    with pytest.raises(ValueError, match="leave GenerateTarget out"):
        head.loss((torch.rand(1, 8, 6, 6),), [sample])
