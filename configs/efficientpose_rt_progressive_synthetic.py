"""RT on synthetic people in about two hours of two cores: ``efficientpose_rt_synthetic.py`` in a shorter form.

    OMP_NUM_THREADS=1 torchrun --nproc_per_node=2 tools/train.py configs/efficientpose_rt_progressive_synthetic.py \\
        --launcher pytorch --cfg-options train_dataloader.batch_size=8

Expected: PCKh@50 / @10 of 81.3 / 30.6, with --flip-test 82.5 / 33.7. Measured with two processes of one thread on two
cores, which others slowed down at times: 80.6 / 29.6 after 30 epochs and 97 minutes, validation included, 81.7 / 30.2
after 33 and 113, all after 128. Validation is at the full size and lags while crops are small: 49 after 12 epochs.

Crops grow from 160 over 192 to RT's 224 pixels, 12 epochs each; sigma has two levels instead of three, from 0.10; every
other sample is rotated, not all. None of it is in the paper, and each was chosen for short runs.
"""

_base_ = ["efficientpose_rt_synthetic.py"]

rotated_half = dict(_base_.train_transforms[-1], rotate_prob=0.5)
transforms = [*_base_.train_transforms[:-1], rotated_half, _base_.crop, _base_.pack_training]
train_dataloader = dict(dataset=dict(pipeline=transforms))

default_hooks = dict(
    sigma=dict(sigma_start=0.10, num_levels=2),
    input_size=dict(type="ProgressiveResizingHook", input_sizes=[(160, 160), (192, 192), (224, 224)]),
)
