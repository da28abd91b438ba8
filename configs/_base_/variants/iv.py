"""EfficientPose IV: backbone, head and input size."""

input_size = (600, 600)
crop = dict(type="AntialiasedAffine", input_size=input_size)
backbone = dict(high_arch="b7", low_arch="b3")
head = dict(in_channels=112, channels=80, num_blocks=4, decoder=dict(input_size=input_size))
