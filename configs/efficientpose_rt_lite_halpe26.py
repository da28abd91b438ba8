"""EfficientPose RT Lite on Halpe's 26 body keypoints, feet included (Fang et al. 2022), from the released weights.

    python tools/train.py configs/efficientpose_rt_lite_halpe26.py
    python tools/test.py configs/efficientpose_rt_lite_halpe26.py work_dirs/efficientpose_rt_lite_halpe26/epoch_20.pth

It reads Halpe in data/halpe: annotations/halpe_train_v1.json and halpe_val_v1.json, HICO-DET's images/train2015/ and
COCO's images/val2017/.
Expected: no score was measured.
"""

_base_ = ["_base_/halpe26_lite.py"]

input_size = (224, 224)
model = dict(
    init_cfg=dict(checkpoint="efficientpose://rt_lite"),
    backbone=dict(high_arch="lite0"),
    head=dict(in_channels=40, channels=40, num_blocks=1, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
