"""Test a network: ``python tools/test.py CONFIG CHECKPOINT``.

This is MMPose's own tool with all its arguments (``--help`` lists them), with EfficientPose's components registered.
"""

import runpy
from importlib.resources import files

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported

if __name__ == "__main__":
    runpy.run_path(str(files("mmpose") / ".mim" / "tools" / "test.py"), run_name="__main__")
