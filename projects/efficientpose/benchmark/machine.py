"""What was measured on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import efficientpose

_PACKAGES = ("torch", "mmpose", "onnxruntime", "openvino", "ai-edge-litert", "opencv-python-headless", "scikit-image")
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "i8mm", "bf16")


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, instructions that matter here, and versions."""
    info = _read_processor()
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "processor": info.get("model name", platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "system": platform.system(),
        "python": platform.python_version(),
        "efficientpose": efficientpose.__version__,
        "packages": {name: found for name in _PACKAGES if (found := _find_version(name)) is not None},
    }


def _read_processor() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
