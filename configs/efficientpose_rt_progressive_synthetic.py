"""RT on synthetic people as by ``efficientpose_rt_synthetic.py``, with crops that grow from 128 pixels to RT's 224.

    OMP_NUM_THREADS=1 torchrun --nproc_per_node=2 tools/train.py configs/efficientpose_rt_progressive_synthetic.py \\
        --launcher pytorch --cfg-options train_dataloader.batch_size=8
"""

_base_ = ["efficientpose_rt_synthetic.py"]

default_hooks = dict(input_size=dict(type="ProgressiveResizingHook", input_sizes=[(128, 128), (160, 160), (224, 224)]))
