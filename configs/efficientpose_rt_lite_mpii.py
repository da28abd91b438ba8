"""EfficientPose RT Lite on MPII (Groos et al. 2020, arXiv 2004.12186; released after the paper).

Evaluate the released weights, any machine:
    efficientpose convert EfficientPoseRT_LITE.h5 -o efficientpose_rt_lite_mpii.pth
    python tools/test.py configs/efficientpose_rt_lite_mpii.py efficientpose_rt_lite_mpii.pth

Train for 200 epochs, one GPU or many:
    python tools/train.py configs/efficientpose_rt_lite_mpii.py

Expected, from the authors' repository: PCKh@50 80.6, PCKh@10 23.1 on MPII validation.
"""

_base_ = ["_base_/variants/rt_lite.py", "_base_/mpii.py"]

model = dict(backbone=_base_.backbone, head=_base_.head, data_preprocessor=_base_.data_preprocessor)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test]))
test_dataloader = val_dataloader
