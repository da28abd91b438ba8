"""Skeletons of your own: describe one, write its config, and carry over the weights of joints that both have."""

from efficientpose.custom_skeletons.pretrained import PretrainedKeypoints

__all__ = ["PretrainedKeypoints"]
