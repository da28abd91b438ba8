"""EfficientPose I by the paper's recipe on synthetic people, from random weights: the whole path without MPII.

    python tools/make_synthetic_mpii.py --out data/synthetic_mpii --train 4000 --val 500 --seed 0 --workers 2
    python tools/train.py configs/efficientpose_i_synthetic.py

Expected: no score was measured.

Differs from ``efficientpose_i_mpii.py`` in data, length and the backbone's start alone.
"""

_base_ = ["efficientpose_i_mpii.py"]

model = dict(backbone=dict(high_pretrained=None, low_pretrained=None))

data_root = "data/synthetic_mpii/"
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root, headbox_file=f"{data_root}annotations/mpii_gt_val.mat"))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=36, val_interval=3)
