"""What the Lite variants have of their own, as on MPII."""

_base_ = ["halpe26.py"]

model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    head=dict(act_cfg=dict(type="ReLU6"), with_squeeze_excite=False),
)
