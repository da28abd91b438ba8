"""EfficientPose RT by the paper's recipe on synthetic people, from random weights: the whole path without MPII.

    python tools/make_synthetic_mpii.py --out data/synthetic_mpii --train 4000 --val 500 --seed 0 --workers 2
    python tools/train.py configs/efficientpose_rt_synthetic.py

Expected: PCKh@50 / @10 of 79.9 / 27.4 after 204 CPU minutes, measured with two processes of one thread on two cores:

    OMP_NUM_THREADS=1 torchrun --nproc_per_node=2 tools/train.py configs/efficientpose_rt_synthetic.py \\
        --launcher pytorch --cfg-options train_dataloader.batch_size=8

With sub-pixel decoding (model.head.decoder.subpixel=True) it scores 80.0 / 27.6, with --flip-test 81.0 / 28.5; 18
epochs, 86 minutes of one core, reached 74.8 / 19.8.

Differs from ``efficientpose_rt_mpii.py`` in data, length and the backbone's start alone.
"""

_base_ = ["efficientpose_rt_mpii.py"]

model = dict(backbone=dict(high_pretrained=None))

data_root = "data/synthetic_mpii/"
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root, headbox_file=f"{data_root}annotations/mpii_gt_val.mat"))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=36, val_interval=3)
