"""EfficientPose II with three heatmap passes (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_ii_three_passes_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 87.55 / 29.61, against 87.05 / 29.87 for the full network.
"""

_base_ = ["../efficientpose_ii_mpii.py"]

model = dict(head=dict(num_heatmap_passes=3))

train_cfg = dict(max_epochs=100)
