"""EfficientPose II Lite: backbone, head and input size."""

_base_ = ["lite.py"]

input_size = (368, 368)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="lite4")
head = dict(in_channels=56, channels=56, num_blocks=2, decoder=dict(input_size=input_size))
