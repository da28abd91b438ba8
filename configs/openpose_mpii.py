"""OpenPose on MPII, the paper's baseline (Groos et al. 2020, Fig. 1; Cao et al. 2019, arXiv 1812.08008).

VGG-19 to conv4_2, four passes for part affinity fields and two for heatmaps, at stride 8 and not upsampled. Data,
targets, recipe and metric are EfficientPose's. Train for 400 epochs, one GPU or many:
    python tools/train.py configs/openpose_mpii.py
    torchrun --nproc_per_node=8 tools/train.py configs/openpose_mpii.py \\
        --launcher pytorch --auto-scale-lr

VGG starts from MMPretrain's ImageNet checkpoint, which is downloaded once. torchvision's, or random weights:
    --cfg-options model.backbone.pretrained=torchvision://vgg19
    --cfg-options model.backbone.pretrained=None

Expected, from the authors' repository: PCKh@50 87.6, PCKh@10 22.8 on its own split of MPII. No score was measured here.
"""

_base_ = ["_base_/mpii.py"]

input_size = (368, 368)
crop = dict(type="AntialiasedAffine", input_size=input_size)
model = dict(
    backbone=dict(type="OpenPoseVGG", pretrained="imagenet"),
    neck=None,
    head=dict(
        in_channels=128,
        channels=128,
        num_blocks=5,
        num_paf_passes=4,
        architecture="openpose",
        upsampling=None,
        # A blur of one cell would be one of eight pixels here, so peaks are found without.
        decoder=dict(input_size=input_size, blur_sigma=0.0),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_transforms, crop, _base_.pack_training]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=400)
