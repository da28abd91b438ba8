"""EfficientPose I with one heatmap pass (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_i_one_pass_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 81.85 / 24.51, against 83.56 / 26.35 for the full network.
"""

_base_ = ["../efficientpose_i_mpii.py"]

model = dict(head=dict(num_heatmap_passes=1))

train_cfg = dict(max_epochs=100)
