"""What all EfficientPose variants share on COCO's 17 keypoints: skeleton, data, score, and fine-tuning from MPII.

For another variant than RT and I, copy ``efficientpose_rt_coco.py`` and name the variant's file and weights. Configs of
your own skeletons (``tools/new_skeleton.py``) are based on this.

Limbs form a tree from the nose, in the order of the keypoints they lead to. Shoulders are joined to the nose, which is
labelled more often than the ears, to which MMPose joins them. All features of the released weights are kept, and the
predictions of the 12 keypoints and 8 limbs that MPII has as well. Boxes are the annotated ones, enlarged by 1.25 as in
MMPose's ``GetBBoxCenterScale``; ``bbox_file`` of the validation set names a detector's.
"""

_base_ = ["mpii.py"]

keypoint_names = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
limbs = [
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("nose", "left_shoulder"),
    ("nose", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "left_knee"),
    ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
]
model = dict(
    init_cfg=dict(type="PretrainedKeypoints", keypoint_names=keypoint_names),
    head=dict(
        num_keypoints=len(keypoint_names),
        num_limbs=len(limbs),
        decoder=dict(limbs=[tuple(keypoint_names.index(name) for name in limb) for limb in limbs]),
    ),
)

dataset_type = "CocoDataset"
data_root = "data/coco/"
coco_format = dict(type=dataset_type, data_mode="topdown")
dataset = dict(data_root=data_root, **coco_format)
training = dict(ann_file="annotations/person_keypoints_train2017.json", data_prefix=dict(img="train2017/"))
held_out = dict(ann_file="annotations/person_keypoints_val2017.json", data_prefix=dict(img="val2017/"), test_mode=True)
train_dataloader = dict(dataset=dict(_delete_=True, **dataset, **training))
val_dataloader = dict(dataset=dict(_delete_=True, **dataset, **held_out))
test_dataloader = dict(dataset=dict(_delete_=True, **dataset, **held_out))
val_evaluator = [dict(type="CocoMetric", ann_file=f"{data_root}{held_out['ann_file']}")]
test_evaluator = val_evaluator

# Fine-tuning, as the author recommends; the released sigma is kept.
train_cfg = dict(max_epochs=20, val_interval=2)
optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=1e-4), paramwise_cfg=None)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(
    checkpoint=dict(save_best="coco/AP"), sigma=dict(sigma_start=0.05, num_levels=1), visual_samples=dict(interval=2)
)
