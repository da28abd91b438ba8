"""EfficientPose RT on MPII (Groos et al. 2020, arXiv 2004.12186).

Evaluate the released weights, any machine:
    efficientpose convert EfficientPoseRT.h5 -o efficientpose_rt_mpii.pth
    python tools/test.py configs/efficientpose_rt_mpii.py efficientpose_rt_mpii.pth

Train for 200 epochs, one GPU or many:
    python tools/train.py configs/efficientpose_rt_mpii.py

Expected, from the paper: PCKh@50 82.88, PCKh@10 23.56 on its own split of MPII, with multi-scale testing.
"""

_base_ = ["_base_/variants/rt.py", "_base_/mpii.py"]

model = dict(backbone=dict(_base_.backbone, high_pretrained="imagenet"), head=_base_.head)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test]))
test_dataloader = val_dataloader
