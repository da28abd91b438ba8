"""The starter checkpoint: RT from random weights, by the paper's recipe on synthetic people, then AdamW on photographs.

    make starter LSPET=FOLDER_OF_LSPET

draws the synthetic people, converts LSP Extended, trains ``efficientpose_rt_synthetic.py`` and then this, and keeps the
weights. No released weights and no MPII go into them. They are for trying things out and as a start for fine-tuning;
LSP Extended is for research, and so are they.
"""

_base_ = ["efficientpose_rt_lspet_finetune.py"]

model = dict(init_cfg=dict(checkpoint="work_dirs/efficientpose_rt_synthetic/epoch_18.pth"))

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
train_cfg = dict(max_epochs=2, val_interval=2)
