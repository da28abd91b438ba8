"""The network as MMPose components: backbone, neck and head."""

from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.bottomup import PafPoseEstimator
from efficientpose.models.distillation import PoseMapDistiller
from efficientpose.models.head import EfficientPoseHead, PoseMaps
from efficientpose.models.layers import ESwish
from efficientpose.models.multi_scale import MultiScaleTester
from efficientpose.models.neck import CrossResolutionNeck

__all__ = [
    "CrossResolutionNeck",
    "DualEfficientNet",
    "ESwish",
    "EfficientPoseHead",
    "MultiScaleTester",
    "PafPoseEstimator",
    "PoseMapDistiller",
    "PoseMaps",
]
