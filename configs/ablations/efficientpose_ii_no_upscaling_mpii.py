"""EfficientPose II without upscaling (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_ii_no_upscaling_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 86.56 / 20.66, against 87.05 / 29.87 for the full network.
"""

_base_ = ["../efficientpose_ii_mpii.py"]

# A blur of one cell would be one of eight pixels here, so peaks are found without.
model = dict(head=dict(upsampling=None, decoder=dict(blur_sigma=0.0)))

train_cfg = dict(max_epochs=100)
