"""EfficientPose II: backbone, head and input size."""

input_size = (368, 368)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="b4", low_arch="b0")
head = dict(in_channels=80, channels=56, num_blocks=2, decoder=dict(input_size=input_size))
