"""Train a network: ``python tools/train.py CONFIG``.

This is MMPose's own tool with all its arguments (``--help`` lists them), with EfficientPose's components registered.
"""

import runpy
from importlib.resources import files

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.cpu_processes import join_cpu_processes

if __name__ == "__main__":
    join_cpu_processes()
    runpy.run_path(str(files("mmpose") / ".mim" / "tools" / "train.py"), run_name="__main__")
