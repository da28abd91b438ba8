"""What all EfficientPose variants share on Halpe's 26 body keypoints, feet included (Li et al. 2020, Fang et al. 2022).

Limbs form a tree from the neck, in the order of the keypoints they lead to. All features of the released weights are
kept, and the predictions of the 15 keypoints (head, neck and hip among them) and 11 limbs that MPII has as well.
Halpe's annotation files have 136 keypoints a person; the first 26 are read.
"""

_base_ = ["coco.py"]

keypoint_names = [
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("head", "neck", "hip"),
    *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel", "right_heel"),
]
limbs = [
    ("head", "nose"),
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("neck", "left_shoulder"),
    ("neck", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("hip", "left_hip"),
    ("hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
    ("neck", "head"),
    ("neck", "hip"),
    ("left_ankle", "left_big_toe"),
    ("right_ankle", "right_big_toe"),
    ("left_ankle", "left_small_toe"),
    ("right_ankle", "right_small_toe"),
    ("left_ankle", "left_heel"),
    ("right_ankle", "right_heel"),
]
model = dict(
    init_cfg=dict(keypoint_names=keypoint_names),
    head=dict(
        num_keypoints=len(keypoint_names),
        num_limbs=len(limbs),
        decoder=dict(limbs=[tuple(keypoint_names.index(name) for name in limb) for limb in limbs]),
    ),
)

# As in MMPose's RTMPose configs, the inner dataset converts, so that the outer pipeline serves inference as well.
first_26 = dict(type="KeypointConverter", num_keypoints=26, mapping=[(index, index) for index in range(26)])
data_root = "data/halpe/"
metainfo = dict(from_file="configs/_base_/datasets/halpe26.py")  # MMPose's own
dataset = dict(metainfo=metainfo, data_root=data_root, pipeline=[first_26], **_base_.coco_format)
training = dict(ann_file="annotations/halpe_train_v1.json", data_prefix=dict(img="images/train2015/"))
held_out = dict(ann_file="annotations/halpe_val_v1.json", data_prefix=dict(img="images/val2017/"), test_mode=True)
combined = dict(type="CombinedDataset", metainfo=metainfo)
train_dataloader = dict(dataset=dict(_delete_=True, datasets=[dict(**dataset, **training)], **combined))
val_dataloader = dict(dataset=dict(_delete_=True, datasets=[dict(**dataset, **held_out)], test_mode=True, **combined))
test_dataloader = dict(dataset=dict(_delete_=True, datasets=[dict(**dataset, **held_out)], test_mode=True, **combined))
val_evaluator = [
    dict(type="CocoMetric", ann_file=f"{data_root}{held_out['ann_file']}", gt_converter=first_26),
]
test_evaluator = val_evaluator
