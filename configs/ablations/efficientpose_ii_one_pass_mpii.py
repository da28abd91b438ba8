"""EfficientPose II with one heatmap pass (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_ii_one_pass_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 85.42 / 28.01, against 87.05 / 29.87 for the full network.
"""

_base_ = ["../efficientpose_ii_mpii.py"]

model = dict(head=dict(num_heatmap_passes=1))

train_cfg = dict(max_epochs=100)
