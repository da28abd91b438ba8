"""The starter checkpoint: RT from random weights, by the paper's recipe on synthetic people, then AdamW on photos.

    make starter LSPET=FOLDER_OF_LSPET

draws the synthetic people, converts LSP Extended, trains ``efficientpose_rt_synthetic.py`` for 18 epochs and then this,
and keeps the weights. No released weights and no MPII go into them. LSP Extended is for research, and so are they.

Expected: PCKh@50 of 74.8 on synthetic people and PCK@0.2 of 44.5 on LSP Extended, after two hours of one CPU core.
"""

_base_ = ["efficientpose_rt_lspet_finetune.py"]

model = dict(init_cfg=dict(checkpoint="work_dirs/efficientpose_rt_starter_synthetic/epoch_18.pth"))

lspet = _base_.train_dataloader.dataset
synthetic = dict(lspet, data_root="data/synthetic_mpii/", ann_file="annotations/mpii_train.json")
train_dataloader = dict(dataset=dict(_delete_=True, type="ConcatDataset", datasets=[lspet, synthetic]))
train_cfg = dict(max_epochs=2, val_interval=2)
