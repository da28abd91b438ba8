"""Poses from pictures with the MMPose model."""

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.inference.estimator import PoseEstimator
from efficientpose.runtime.predictions import CropMaps

__all__ = ["CropMaps", "PoseEstimator"]
