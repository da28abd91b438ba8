"""RT on synthetic people as ``efficientpose_rt_synthetic.py``, with crops that grow in three steps: 80 in two hours.

    OMP_NUM_THREADS=1 torchrun --nproc_per_node=2 tools/train.py configs/efficientpose_rt_progressive_synthetic.py \\
        --launcher pytorch --cfg-options train_dataloader.batch_size=8
"""

_base_ = ["efficientpose_rt_synthetic.py"]

input_sizes = [(128, 128), (160, 160), (224, 224)]
model = dict(data_preprocessor=dict(batch_augments=[dict(type="ProgressiveResizing", input_sizes=input_sizes)]))
