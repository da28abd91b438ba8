"""EfficientPose RT fine-tuned on scenes of several synthetic people, to find all of them in one pass.

    python tools/make_synthetic_crowd.py --out data/synthetic_crowd --train 1500 --val 150 --seed 0 --workers 2
    python tools/train.py configs/efficientpose_rt_crowd.py

It starts from the released weights for one person. From others:
    --cfg-options model.init_cfg.checkpoint=efficientpose_rt_starter.pth

Expected: about 25 minutes of one CPU core; no published score.
"""

_base_ = ["efficientpose_rt_bottomup.py"]

model = dict(init_cfg=dict(type="Pretrained", checkpoint="efficientpose://rt"), backbone=dict(high_pretrained=None))

train_cfg = dict(max_epochs=5, val_interval=5)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=5e-4, weight_decay=1e-4),
    paramwise_cfg=None,
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=50),
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(sigma=dict(sigma_start=_base_.sigma, num_levels=1))
