"""EfficientPose RT on COCO's 17 keypoints (Lin et al. 2014), from the released weights.

    python tools/train.py configs/efficientpose_rt_coco.py
    python tools/test.py configs/efficientpose_rt_coco.py work_dirs/efficientpose_rt_coco/epoch_20.pth

It reads COCO 2017 in data/coco: annotations/, train2017/ and val2017/.
Expected: no score was measured.
"""

_base_ = ["_base_/variants/rt.py", "_base_/coco.py"]

model = dict(init_cfg=dict(checkpoint="efficientpose://rt"), backbone=_base_.backbone, head=_base_.head)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test]))
test_dataloader = val_dataloader
