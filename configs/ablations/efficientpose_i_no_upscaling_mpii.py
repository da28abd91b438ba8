"""EfficientPose I without upscaling (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_i_no_upscaling_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 82.42 / 14.02, against 83.56 / 26.35 for the full network.
"""

_base_ = ["../efficientpose_i_mpii.py"]

# A blur of one cell would be one of eight pixels here, so peaks are found without.
model = dict(head=dict(upsampling=None, decoder=dict(blur_sigma=0.0)))

train_cfg = dict(max_epochs=100)
