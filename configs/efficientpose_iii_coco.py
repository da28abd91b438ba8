"""EfficientPose III on COCO's 17 keypoints (Lin et al. 2014), from the released weights.

    python tools/train.py configs/efficientpose_iii_coco.py
    python tools/test.py configs/efficientpose_iii_coco.py work_dirs/efficientpose_iii_coco/epoch_20.pth

It reads COCO 2017 in data/coco: annotations/, train2017/ and val2017/.
Expected: no score was measured.
"""

_base_ = ["_base_/coco.py"]

input_size = (480, 480)
model = dict(
    init_cfg=dict(checkpoint="efficientpose://iii"),
    backbone=dict(high_arch="b5", low_arch="b1"),
    head=dict(in_channels=88, channels=64, num_blocks=3, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
