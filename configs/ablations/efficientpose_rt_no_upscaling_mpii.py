"""EfficientPose RT without upscaling (as in the ablation study of Groos et al. 2020, which has I and II).

    python tools/train.py configs/ablations/efficientpose_rt_no_upscaling_mpii.py

Expected: no published score; the smallest network is for quick comparisons, see ``tools/analysis/ablations.py``.
"""

_base_ = ["../efficientpose_rt_mpii.py"]

# A blur of one cell would be one of eight pixels here, so peaks are found without.
model = dict(head=dict(upsampling=None, decoder=dict(blur_sigma=0.0)))

train_cfg = dict(max_epochs=100)
