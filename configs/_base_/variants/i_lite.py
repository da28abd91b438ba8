"""EfficientPose I Lite: backbone, head and input size."""

_base_ = ["lite.py"]

input_size = (256, 256)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="lite2")
head = dict(in_channels=48, channels=48, num_blocks=1, decoder=dict(input_size=input_size))
