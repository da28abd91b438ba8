"""EfficientPose II Lite on MPII (Groos et al. 2020, arXiv 2004.12186; released after the paper).

Evaluate the released weights, any machine:
    efficientpose convert EfficientPoseII_LITE.tflite -o efficientpose_ii_lite_mpii.pth
    python tools/test.py configs/efficientpose_ii_lite_mpii.py efficientpose_ii_lite_mpii.pth

Train for 200 epochs, one GPU or many:
    python tools/train.py configs/efficientpose_ii_lite_mpii.py

Expected, from the authors' repository: PCKh@50 87.1, PCKh@10 30.8 on MPII validation.
"""

_base_ = ["_base_/variants/ii_lite.py", "_base_/mpii.py"]

model = dict(backbone=_base_.backbone, head=_base_.head, data_preprocessor=_base_.data_preprocessor)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test]))
test_dataloader = val_dataloader
