"""EfficientPose RT Lite: backbone, head and input size."""

_base_ = ["lite.py"]

input_size = (224, 224)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="lite0")
head = dict(in_channels=40, channels=40, num_blocks=1, decoder=dict(input_size=input_size))
