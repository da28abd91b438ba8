"""EfficientPose RT for all sorts of people: the released weights, fine-tuned on LSP Extended and MPII sports together."""

_base_ = ["efficientpose_rt_lspet_finetune.py"]

rotated_half = dict(_base_.train_transforms[-1], rotate_prob=0.6)
transforms = [*_base_.train_transforms[:-1], rotated_half, _base_.crop, _base_.pack_training]
lspet = dict(
    type=_base_.dataset_type,
    data_root="data/lspet/",
    data_mode=_base_.data_mode,
    ann_file="annotations/lspet_fit.json",
    data_prefix=dict(img="images/"),
    pipeline=transforms,
)
mpii = dict(lspet, data_root="data/mpii_sports/", ann_file="annotations/mpii_fit.json")
train_dataloader = dict(
    num_workers=1,
    dataset=dict(_delete_=True, type="ConcatDataset", datasets=[lspet, mpii, mpii]),
)
train_cfg = dict(max_epochs=1, val_interval=100)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, end=60),
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True, eta_min_ratio=0.02),
]
default_hooks = dict(
    logger=dict(interval=20),
    frozen=dict(type="FrozenStatisticsHook", frozen=["backbone."]),
    ema=dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.01),
    checkpoint=dict(by_epoch=False, interval=100, save_best=None),
    visual_samples=dict(interval=1000),
)
