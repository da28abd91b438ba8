"""EfficientPose RT by the paper's recipe on LSP Extended (Johnson and Everingham 2011), from random weights.

    python tools/dataset_converters/lsp2mpii.py FOLDER_OF_LSPET data/lspet
    python tools/train.py configs/efficientpose_rt_lspet.py

Expected: no score was measured. The released weights, as they are, reach a PCK@0.2 of 47.0 (tools/test.py with
efficientpose://rt).

14 of MPII's 16 joints are labelled; thorax and pelvis carry no loss. Scored by PCK@0.2 of the torso and by PCKh. LSPET
is for research.
"""

_base_ = ["efficientpose_rt_mpii.py"]

model = dict(backbone=dict(high_pretrained=None))

data_root = "data/lspet/"
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file="annotations/lspet_train.json"))
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file="annotations/lspet_val.json",
        headbox_file=f"{data_root}annotations/lspet_gt_val.mat",
    )
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type="PCKh", thresholds=(0.5, 0.1)),
    dict(type="PCKh", norm="torso", thresholds=(0.2,)),
]
test_evaluator = val_evaluator
