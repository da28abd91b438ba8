"""EfficientPose II without the low-level backbone (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_ii_no_low_level_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 86.93 / 29.16, against 87.05 / 29.87 for the full network.
"""

_base_ = ["../efficientpose_ii_mpii.py"]

model = dict(backbone=dict(low_arch=None, low_pretrained=None), head=dict(in_channels=56))

train_cfg = dict(max_epochs=100)
