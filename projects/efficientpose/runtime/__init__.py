"""Pictures and videos in, poses out, without torch or MMPose.

Importing it loads neither an engine nor OpenCV; ``PoseEstimator`` does when it is asked for.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientpose.runtime.estimator import PoseEstimator

__all__ = ["PoseEstimator"]


def __getattr__(name: str) -> object:
    if name == "PoseEstimator":
        return importlib.import_module("efficientpose.runtime.estimator").PoseEstimator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
