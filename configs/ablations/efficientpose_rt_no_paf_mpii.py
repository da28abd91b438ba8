"""EfficientPose RT without the PAF pass (as in the ablation study of Groos et al. 2020, which has I and II).

    python tools/train.py configs/ablations/efficientpose_rt_no_paf_mpii.py

Expected: no published score; the smallest network is for quick comparisons, see ``tools/analysis/ablations.py``.
"""

_base_ = ["../efficientpose_rt_mpii.py"]

model = dict(head=dict(num_limbs=0))

train_cfg = dict(max_epochs=100)
