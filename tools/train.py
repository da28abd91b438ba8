"""Train a network: ``python tools/train.py CONFIG``.

This is MMPose's own tool with all its arguments (``--help`` lists them), with EfficientPose's components registered.
"""

import runpy
import sys
from importlib.resources import files

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.cpu import ask_for_huge_pages
from efficientpose.engine.launchers import join_cpu_processes

if __name__ == "__main__":
    ask_for_huge_pages()
    mmpose_tool = runpy.run_path(str(files("mmpose") / ".mim" / "tools" / "train.py"), run_name="mmpose_train")
    try:
        join_cpu_processes(mmpose_tool["parse_args"]().launcher)
    except ValueError as error:
        sys.exit(f"error: {error}")
    mmpose_tool["main"]()
