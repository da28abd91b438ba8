"""EfficientPose II by the paper's recipe on LSP Extended (see _base_/lspet.py), from random weights.

    python tools/train.py configs/efficientpose_ii_lspet.py

Expected: no score was measured. The released weights, as they are, reach a PCK@0.2 of 54.8 (tools/test.py with
efficientpose://ii).
"""

_base_ = ["_base_/variants/ii.py", "_base_/lspet.py"]

model = dict(backbone=dict(_base_.backbone, high_pretrained=None, low_pretrained=None), head=_base_.head)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test]))
test_dataloader = val_dataloader
