"""The place of the training schedule: plain AdamW until the paper's cyclical rate and shrinking sigma are here."""

_base_ = ["mmpose::_base_/default_runtime.py"]

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-4))
param_scheduler = [dict(type="CosineAnnealingLR", by_epoch=True, T_max=200, convert_to_iter_based=True)]
