"""Pictures and videos in, poses out, without torch or MMPose.

Importing it loads neither an engine nor OpenCV; its names do when they are asked for.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from efficientpose.runtime.estimator import PoseEstimator
    from efficientpose.runtime.follow import Follower
    from efficientpose.runtime.video import open_camera, open_video
    from efficientpose.runtime.video_job import predict_video

__all__ = ["Follower", "PoseEstimator", "open_camera", "open_video", "predict_video"]

_MODULES: Final = {
    "Follower": "follow",
    "PoseEstimator": "estimator",
    "open_camera": "video",
    "open_video": "video",
    "predict_video": "video_job",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
