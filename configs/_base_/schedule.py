"""The paper's training recipe (Groos et al. 2020, Appendix B): SGD, cyclical rate, shrinking sigma, 200 epochs.

The paper gives the cycle of 3 epochs, the range of 3000 and the rate's limit (Eq. 5). It gives no batch size: 16 is
ours, as are momentum 0.9, Nesterov's, weight decay and clipping. Experiments on synthetic people gave the rest:

- ``lr``: λmax for batches of 16. For RT on synthetic people, ``tools/lr_range_test.py`` found 0.22 and the lowest loss
  at 0.09; run it for other batch sizes. ``--auto-scale-lr`` scales the rate by the batch of all processes. The head's
  losses are relative to their targets' energy, so that one rate serves every sigma: a plain squared error, and with it
  the steps, shrinks with sigma²; the same 12,000 samples then taught half as much.
- ``lr_mult`` of the prediction layers: they diverge first, and would hold down the rate of all others.
- ``default_hooks.sigma``: σ0, and the number of values that σ takes down to the released networks' 0.05; Eq. 5 follows.

Backbones start from MMPretrain's ImageNet checkpoints, as the paper's do; they are downloaded once. Random weights:

    --cfg-options model.backbone.high_pretrained=None model.backbone.low_pretrained=None

AdamW and a cosine schedule instead, in a config of your own (see ``efficientpose_rt_lspet_finetune.py``):

    optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=1e-4), paramwise_cfg=None)
    param_scheduler = [dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)]

Averaged weights, gradients accumulated over 4 batches (``--auto-scale-lr`` does not count them, so the batch that the
rate is for is a fourth), and a loss of the 8 hardest keypoints:

    --cfg-options default_hooks.ema.type=EMAHook
    --cfg-options optim_wrapper.accumulative_counts=4 auto_scale_lr.base_batch_size=4
    --cfg-options model.head.losses.heatmap_loss.type=KeypointOHKMMSELoss
        model.head.losses.heatmap_loss.use_target_weight=True

Batch norms over the samples of all GPUs, for few samples a GPU: MMEngine converts every batch norm to PyTorch's
SyncBatchNorm, which runs on GPUs only:

    --cfg-options sync_bn=torch
"""

_base_ = ["mmpose::_base_/default_runtime.py"]

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=10)
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(predict=dict(lr_mult=0.05))),
    clip_grad=dict(max_norm=20.0),
)
param_scheduler = [dict(type="DecayingTriangularLR", cycle=3, by_epoch=True, convert_to_iter_based=True)]
auto_scale_lr = dict(base_batch_size=16)
randomness = dict(seed=0)
model_wrapper_cfg = dict(type="MMDistributedDataParallel", device_ids=None)  # processes without a GPU, too

default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(type="AtomicCheckpointHook", interval=1, max_keep_ckpts=3, save_best="PCKh@0.5", rule="greater"),
    sigma=dict(type="ShrinkingSigmaHook", sigma_start=0.15, sigma_end=0.05, num_levels=3),
    seeds=dict(type="EpochSeedHook"),
    nan_guard=dict(type="NanGuardHook"),
    channels_last=dict(type="ChannelsLastHook"),
    cpu_memory=dict(type="CpuMemoryHook"),
    visual_samples=dict(type="VisualSamplesHook", interval=10),
)
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(vis_backends=vis_backends)
