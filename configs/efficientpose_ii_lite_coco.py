"""EfficientPose II Lite on COCO's 17 keypoints (Lin et al. 2014), from the released weights.

    python tools/train.py configs/efficientpose_ii_lite_coco.py
    python tools/test.py configs/efficientpose_ii_lite_coco.py work_dirs/efficientpose_ii_lite_coco/epoch_20.pth

It reads COCO 2017 in data/coco: annotations/, train2017/ and val2017/.
Expected: no score was measured.
"""

_base_ = ["_base_/coco_lite.py"]

input_size = (368, 368)
model = dict(
    init_cfg=dict(checkpoint="efficientpose://ii_lite"),
    backbone=dict(high_arch="lite4"),
    head=dict(in_channels=56, channels=56, num_blocks=2, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
