"""EfficientPose I without the PAF pass (Groos et al. 2020, ablation study).

    python tools/train.py configs/ablations/efficientpose_i_no_paf_mpii.py

Expected, from the paper after 100 epochs: PCKh@50 / @10 of 81.13 / 25.00, against 83.56 / 26.35 for the full network.
The paper counts 0.02M (I) or 0.03M (II) parameters more than this network has: its first pass seems to read the
features twice, which adds weights and no information.
"""

_base_ = ["../efficientpose_i_mpii.py"]

model = dict(head=dict(num_limbs=0))

train_cfg = dict(max_epochs=100)
