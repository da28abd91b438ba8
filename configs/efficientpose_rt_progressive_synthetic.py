"""RT on synthetic people as by ``efficientpose_rt_synthetic.py``, with crops that grow from 128 pixels to RT's 224.

    OMP_NUM_THREADS=1 torchrun --nproc_per_node=2 tools/train.py configs/efficientpose_rt_progressive_synthetic.py \\
        --launcher pytorch --cfg-options train_dataloader.batch_size=8

Expected: PCKh@50 / @10 of 78.2 / 25.8 after 233 CPU minutes, measured with two processes of one thread on two cores; at
the speed of its last third, with whole crops, all would have taken 336. With --flip-test 79.7 / 27.9, with --tta
79.4 / 28.4. Validation is at the full size and lags until the last third of the run: 53 after 24 epochs, 74 after 27.

Growing crops are this config's own; nothing of the kind is in the paper.
"""

_base_ = ["efficientpose_rt_synthetic.py"]

default_hooks = dict(input_size=dict(type="ProgressiveResizingHook", input_sizes=[(128, 128), (160, 160), (224, 224)]))
