"""EfficientPose on MMPose: single-person pose estimation (Groos et al. 2020, arXiv 2004.12186).

Importing this package loads neither torch nor MMPose; ``efficientpose.plugin`` registers its components with MMPose.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientpose.inference import PoseEstimator

__version__ = "0.1.0"
__all__ = ["PoseEstimator", "__version__"]


def __getattr__(name: str) -> object:
    if name == "PoseEstimator":
        return importlib.import_module("efficientpose.inference").PoseEstimator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
