"""EfficientPose IV on COCO's 17 keypoints (Lin et al. 2014), from the released weights.

    python tools/train.py configs/efficientpose_iv_coco.py
    python tools/test.py configs/efficientpose_iv_coco.py work_dirs/efficientpose_iv_coco/epoch_20.pth

It reads COCO 2017 in data/coco: annotations/, train2017/ and val2017/.
Expected: no score was measured.
"""

_base_ = ["_base_/coco.py"]

input_size = (600, 600)
model = dict(
    init_cfg=dict(checkpoint="efficientpose://iv"),
    backbone=dict(high_arch="b7", low_arch="b3"),
    head=dict(in_channels=112, channels=80, num_blocks=4, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
