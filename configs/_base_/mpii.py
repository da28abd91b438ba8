"""What all EfficientPose variants share on MPII: components, augmentation, evaluation.

A variant's own file, ``variants/*.py``, has its backbone, head, input size and crop; a config joins both.

On a random split like the paper's, which ``tools/dataset_converters/mpii_mat2json.py`` writes:

    --cfg-options train_dataloader.dataset.ann_file=annotations/mpii_random_train.json
    val_dataloader.dataset.ann_file=annotations/mpii_random_val.json
    val_dataloader.dataset.headbox_file=data/mpii/annotations/mpii_random_gt_val.mat
    test_dataloader.dataset.ann_file=annotations/mpii_random_val.json
    test_dataloader.dataset.headbox_file=data/mpii/annotations/mpii_random_gt_val.mat
"""

_base_ = ["schedule.py"]

custom_imports = dict(imports=["efficientpose.plugin"], allow_failed_imports=False)

model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type="DualEfficientNet"),
    neck=dict(type="CrossResolutionNeck"),
    head=dict(type="EfficientPoseHead", decoder=dict(type="FullResolutionHeatmap")),
    test_cfg=dict(flip_test=False),
)

# Training: mirrored, scaled by 0.75 to 1.25, rotated by up to 45 degrees.
train_transforms = [
    dict(type="LoadImage"),
    dict(type="PersonCenterScale"),
    dict(type="RandomFlip", direction="horizontal"),
    dict(type="RandomBBoxTransform", shift_prob=0.0, scale_factor=(0.75, 1.25), rotate_factor=45.0, rotate_prob=1.0),
]
pack_training = dict(type="PackPoseInputs", pack_transformed=True)
test_transforms = [
    dict(type="LoadImage"),
    dict(type="PersonCenterScale"),
]
pack_test = dict(type="PackPoseInputs")

dataset_type = "ExactMpiiDataset"  # MMPose's inferencers read this name and the next
data_mode = "topdown"
data_root = "data/mpii/"
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file="annotations/mpii_train.json",
        data_prefix=dict(img="images/"),
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file="annotations/mpii_val.json",
        headbox_file=f"{data_root}annotations/mpii_gt_val.mat",
        data_prefix=dict(img="images/"),
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type="PCKh", thresholds=(0.5, 0.1))
test_evaluator = val_evaluator

default_hooks = dict(checkpoint=dict(save_best="PCKh@0.5", rule="greater"))
