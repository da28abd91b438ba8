"""Train a network: ``python tools/train.py CONFIG``.

This is MMPose's own tool with all its arguments (``--help`` lists them), with EfficientPose's components registered.
"""

import runpy
import sys
from importlib.resources import files

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.cpu_processes import join_cpu_processes, read_launcher

if __name__ == "__main__":
    try:
        join_cpu_processes(read_launcher(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"error: {error}")
    runpy.run_path(str(files("mmpose") / ".mim" / "tools" / "train.py"), run_name="__main__")
