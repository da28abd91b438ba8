"""EfficientPose II Lite on MPII (Groos et al. 2020, arXiv 2004.12186; released after the paper).

Evaluate the released weights, any machine:
    efficientpose convert EfficientPoseII_LITE.tflite -o efficientpose_ii_lite_mpii.pth
    python tools/test.py configs/efficientpose_ii_lite_mpii.py efficientpose_ii_lite_mpii.pth

Train for 200 epochs, one GPU or many:
    python tools/train.py configs/efficientpose_ii_lite_mpii.py

Expected, from the authors' repository: PCKh@50 87.1, PCKh@10 30.8 on MPII validation.
"""

_base_ = ["_base_/mpii_lite.py"]

input_size = (368, 368)
model = dict(
    backbone=dict(high_arch="lite4"),
    head=dict(in_channels=56, channels=56, num_blocks=2, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
