"""LSP Extended (Johnson and Everingham 2011) in MPII's layout, which lsp2mpii.py writes:

    python tools/dataset_converters/lsp2mpii.py FOLDER_OF_LSPET data/lspet

14 of MPII's 16 keypoints are labelled; thorax and pelvis carry no loss. Scored by PCK@0.2 of the torso and by PCKh.
LSP Extended is for research.
"""

_base_ = ["mpii.py"]

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
