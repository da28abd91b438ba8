"""EfficientPose I for all sorts of people: ``efficientpose_rt_allround.py`` with I's network."""

_base_ = ["efficientpose_rt_allround.py"]

input_size = (224, 224)
model = dict(
    init_cfg=dict(checkpoint="efficientpose://i"),
    backbone=dict(high_arch="b2", low_arch="b0"),
    head=dict(in_channels=72, channels=48, decoder=dict(input_size=input_size)),
)

crop = dict(type="AntialiasedAffine", input_size=input_size)
transforms = [*_base_.transforms[:-2], crop, _base_.pack_training]
lspet = dict(_base_.lspet, pipeline=transforms)
mpii = dict(_base_.mpii, pipeline=transforms)
train_dataloader = dict(dataset=dict(datasets=[lspet, mpii, mpii]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_transforms, crop, _base_.pack_test]))
test_dataloader = val_dataloader
