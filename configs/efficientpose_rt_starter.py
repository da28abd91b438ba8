"""The starter checkpoint: RT by the paper's recipe, from random weights, on LSP Extended and synthetic people.

    make starter LSPET=FOLDER_OF_LSPET

converts LSPET, draws the synthetic people, trains, and keeps the weights. No released weights and no MPII go into them.
They are for trying things out; LSPET is for research, and so are they.
"""

_base_ = ["efficientpose_rt_lspet.py"]

synthetic = dict(
    type=_base_.dataset_type,
    data_root="data/synthetic_mpii/",
    data_mode=_base_.data_mode,
    ann_file="annotations/mpii_train.json",
    data_prefix=dict(img="images/"),
    pipeline=_base_.train_dataloader.dataset.pipeline,
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type="ConcatDataset", datasets=[_base_.train_dataloader.dataset, synthetic])
)
train_cfg = dict(max_epochs=12, val_interval=3)
