"""The network as MMPose components.

``backbone`` extracts features at stride 8, ``neck`` joins those of both resolutions, ``head`` predicts part affinity
fields and heatmaps from them, and ``criterion`` compares these with their targets. MMPose's ``TopdownPoseEstimator``
joins the parts for one person a crop; ``bottomup`` does so for scenes, ``distillation`` for a student.
"""

from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.bottomup import PafPoseEstimator
from efficientpose.models.criterion import PoseCriterion, PoseMaps
from efficientpose.models.distillation import PoseMapDistiller
from efficientpose.models.head import EfficientPoseHead
from efficientpose.models.layers import ESwish
from efficientpose.models.multi_scale import MultiScaleTester
from efficientpose.models.neck import CrossResolutionNeck
from efficientpose.models.openpose import OpenPoseVGG

__all__ = [
    "CrossResolutionNeck",
    "DualEfficientNet",
    "ESwish",
    "EfficientPoseHead",
    "MultiScaleTester",
    "OpenPoseVGG",
    "PafPoseEstimator",
    "PoseCriterion",
    "PoseMapDistiller",
    "PoseMaps",
]
