"""Images and videos in, poses out, without torch or MMPose.

Importing it loads neither an engine nor OpenCV; its names do when they are asked for.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from efficientpose.people.following import Follower
    from efficientpose.runtime.estimator import PoseEstimator
    from efficientpose.video.camera import open_camera
    from efficientpose.video.prediction import predict_video
    from efficientpose.video.reading import open_video

__all__ = ["Follower", "PoseEstimator", "open_camera", "open_video", "predict_video"]

_MODULES: Final = {
    "Follower": "efficientpose.people.following",
    "PoseEstimator": "efficientpose.runtime.estimator",
    "open_camera": "efficientpose.video.camera",
    "open_video": "efficientpose.video.reading",
    "predict_video": "efficientpose.video.prediction",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
