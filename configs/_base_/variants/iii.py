"""EfficientPose III: backbone, head and input size."""

input_size = (480, 480)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="b5", low_arch="b1")
head = dict(in_channels=88, channels=64, num_blocks=3, decoder=dict(input_size=input_size))
