"""EfficientPose I on Halpe's 26 body keypoints, feet included (Fang et al. 2022), from the released weights.

    python tools/train.py configs/efficientpose_i_halpe26.py
    python tools/test.py configs/efficientpose_i_halpe26.py work_dirs/efficientpose_i_halpe26/epoch_20.pth

It reads Halpe in data/halpe: annotations/halpe_train_v1.json and halpe_val_v1.json, HICO-DET's images/train2015/ and
COCO's images/val2017/.
Expected: no score was measured.
"""

_base_ = ["_base_/variants/i.py", "_base_/halpe26.py"]

model = dict(init_cfg=dict(checkpoint="efficientpose://i"), backbone=_base_.backbone, head=_base_.head)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test]))
test_dataloader = val_dataloader
