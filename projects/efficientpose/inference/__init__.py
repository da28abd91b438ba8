"""Poses from pictures with the MMPose model."""

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.inference.estimator import CropMaps, PoseEstimator

__all__ = ["CropMaps", "PoseEstimator"]
