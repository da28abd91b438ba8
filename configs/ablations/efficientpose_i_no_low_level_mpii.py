"""EfficientPose I without the low-level backbone (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_i_no_low_level_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 83.64 / 25.79, against 83.56 / 26.35 for the full network.
"""

_base_ = ["../efficientpose_i_mpii.py"]

model = dict(backbone=dict(low_arch=None, low_pretrained=None), head=dict(in_channels=48))

train_cfg = dict(max_epochs=100)
