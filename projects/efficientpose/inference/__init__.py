"""Poses from images with the MMPose model."""

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.core.poses import CropMaps
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.fast import prepare_for_inference

__all__ = ["CropMaps", "TorchPoseEstimator", "prepare_for_inference"]
