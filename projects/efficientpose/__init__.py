"""EfficientPose on MMPose: single-person pose estimation (Groos et al. 2020, arXiv 2004.12186).

Importing this package loads neither torch nor MMPose; ``efficientpose.plugin`` registers its components with MMPose.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientpose.inference import TorchPoseEstimator as PoseEstimator
    from efficientpose.inference import prepare_for_inference

__version__ = "0.1.0"
__all__ = ["PoseEstimator", "__version__", "prepare_for_inference"]


_NAMES = {"PoseEstimator": "TorchPoseEstimator", "prepare_for_inference": "prepare_for_inference"}


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(importlib.import_module("efficientpose.inference"), _NAMES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
