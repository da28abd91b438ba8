"""What the Lite variants share: ReLU6, no squeeze-and-excitation, and pixels scaled to -1 to 1."""

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
head = dict(act_cfg=dict(type="ReLU6"), with_squeeze_excite=False)
