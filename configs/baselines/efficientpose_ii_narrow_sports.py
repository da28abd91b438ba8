"""EfficientPose II narrowed, beside OpenPose narrowed: which converges faster (Groos et al. 2020, Fig. 4), in minutes.

    python tools/dataset_converters/hold_out.py data/mpii_sports/annotations/mpii_train.json --one-in 9
    for config in efficientpose_ii_narrow_sports openpose_narrow_sports; do for seed in 0 1; do
        python tools/train.py configs/baselines/$config.py --work-dir work_dirs/${config}_$seed \\
            --cfg-options randomness.seed=$seed
    done; done
    python tools/analysis/plot_curves.py work_dirs/*_narrow_sports_? --keys torso/PCK@0.2

Far from the paper's setting: EfficientNet-B0 in both branches, C of 28 for 56 and crops of 64 pixels for 368; random
weights; training people of ten sports from MPII, a ninth of them held out for the score; AdamW and two epochs in
batches of 8, with sigma at 0.15 and then 0.1 of the crop.

Expected: see ``openpose_narrow_sports.py``.
"""

_base_ = ["../efficientpose_ii_mpii.py"]

input_size = (64, 64)
crop = dict(type="AntialiasedAffine", input_size=input_size)
model = dict(
    backbone=dict(high_arch="b0", low_arch="b0", high_pretrained=None, low_pretrained=None),
    head=dict(in_channels=64, channels=28, decoder=dict(input_size=input_size)),
)

data_root = "data/mpii_sports/"
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file="annotations/mpii_fit.json",
        pipeline=[*_base_.train_transforms, crop, _base_.pack_training],
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file="annotations/mpii_holdout.json",
        headbox_file=None,  # training people have no head boxes
        pipeline=[*_base_.test_transforms, crop, _base_.pack_test],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(norm="torso", thresholds=(0.2,))
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=2, val_interval=1)
optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=1e-4), paramwise_cfg=None)
param_scheduler = [dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(save_best=None))
