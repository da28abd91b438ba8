"""MMPose's MobileNetV2 heatmap baseline on synthetic people, from random weights: the baseline for RT.

    python tools/train.py configs/baselines/mobilenetv2_synthetic.py

Network, targets, augmentation and optimiser are MMPose's; data, batches and metric are those of
``efficientpose_rt_synthetic.py``. It takes as long as 18 epochs of RT: 78 and 86 minutes of one core. The
rate's steps lie at the same shares of the run as in MMPose's 210 epochs.

Expected: PCKh@50 / @10 of 45.7 / 5.8; RT reaches 74.8 / 19.8 in that time.
"""

_base_ = ["mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_mobilenetv2_8xb64-210e_mpii-256x256.py"]

custom_imports = dict(imports=["efficientpose.plugin"], allow_failed_imports=False)

model = dict(
    backbone=dict(init_cfg=dict(_delete_=True, type="Kaiming", layer="Conv2d")), test_cfg=dict(flip_test=False)
)

dataset_type = "ExactMpiiDataset"
data_root = "data/synthetic_mpii/"
train_dataloader = dict(batch_size=16, dataset=dict(type=dataset_type, data_root=data_root))
val_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=data_root, headbox_file=f"{data_root}annotations/mpii_gt_val.mat")
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type="PCKh", thresholds=(0.5, 0.1))
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=12, val_interval=3)
param_scheduler = [
    dict(type="LinearLR", begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type="MultiStepLR", by_epoch=True, milestones=[10, 11], gamma=0.1),
]
randomness = dict(seed=0)
model_wrapper_cfg = dict(type="MMDistributedDataParallel", device_ids=None)  # processes without a GPU, too
default_hooks = dict(
    checkpoint=dict(save_best="PCKh@0.5"),
    channels_last=dict(type="ChannelsLastHook"),
    cpu_memory=dict(type="CpuMemoryHook"),
)
