"""EfficientPose I with three heatmap passes (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_i_three_passes_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 84.35 / 26.42, against 83.56 / 26.35 for the full network.
"""

_base_ = ["../efficientpose_i_mpii.py"]

model = dict(head=dict(num_heatmap_passes=3))

train_cfg = dict(max_epochs=100)
