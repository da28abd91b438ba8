"""EfficientPose I: backbone, head and input size."""

input_size = (256, 256)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="b2", low_arch="b0")
head = dict(in_channels=72, channels=48, num_blocks=1, decoder=dict(input_size=input_size))
