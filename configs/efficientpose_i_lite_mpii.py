"""EfficientPose I Lite on MPII (Groos et al. 2020, arXiv 2004.12186; released after the paper).

Evaluate the released weights, any machine:
    efficientpose convert EfficientPoseI_LITE.h5 -o efficientpose_i_lite_mpii.pth
    python tools/test.py configs/efficientpose_i_lite_mpii.py efficientpose_i_lite_mpii.pth

Train for 200 epochs, one GPU or many:
    python tools/train.py configs/efficientpose_i_lite_mpii.py

Expected, from the authors' repository: PCKh@50 83.7, PCKh@10 27.7 on MPII validation.
"""

_base_ = ["_base_/mpii_lite.py"]

input_size = (256, 256)
model = dict(
    backbone=dict(high_arch="lite2"),
    head=dict(in_channels=48, channels=48, num_blocks=1, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
