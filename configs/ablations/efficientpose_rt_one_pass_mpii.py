"""EfficientPose RT with one heatmap pass (as in the ablation study of Groos et al. 2020, which has I and II).

    python tools/train.py configs/ablations/efficientpose_rt_one_pass_mpii.py

Expected: no published score; the smallest network is for quick comparisons, see ``tools/analysis/ablations.py``.
"""

_base_ = ["../efficientpose_rt_mpii.py"]

model = dict(head=dict(num_heatmap_passes=1))

train_cfg = dict(max_epochs=100)
