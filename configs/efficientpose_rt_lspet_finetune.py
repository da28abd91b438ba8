"""EfficientPose RT from the released weights, fine-tuned on LSP Extended with AdamW, as the author recommends.

    python tools/dataset_converters/lsp2mpii.py FOLDER_OF_LSPET data/lspet
    python tools/train.py configs/efficientpose_rt_lspet_finetune.py

Expected: PCK@0.2 of the torso 68.4, PCKh@50 62.5 after 98 minutes of one CPU core; as released it has 47.0 and 41.6.
For data of your own, set ``data_root`` and the annotation files. The released sigma is kept.
"""

_base_ = ["efficientpose_rt_lspet.py"]

# Not load_from, which --resume overrides: a run killed before its first checkpoint would resume from random weights.
model = dict(init_cfg=dict(type="Pretrained", checkpoint="efficientpose://rt"))

train_cfg = dict(max_epochs=10, val_interval=2)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=1e-4),
    paramwise_cfg=None,
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=200),
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(sigma=dict(sigma_start=0.05, num_levels=1))
